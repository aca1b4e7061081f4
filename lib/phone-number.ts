// What a number costs is only in the whole of its tables.
import { isSupportedCountry, type NumberType, parsePhoneNumberFromString } from 'libphonenumber-js/max';

export interface PhoneNumber {
  /** In E.164 form. */
  readonly number: string;
  /** As ISO 3166 has it; null for numbers of no country (satellites, say). */
  readonly country: string | null;
  /** It is nobody's telephone: who calls or writes there pays whoever rents it, or reaches no person at all. */
  readonly isService: boolean;
}

const services: ReadonlySet<NumberType> = new Set([
  'PREMIUM_RATE',
  'SHARED_COST',
  'TOLL_FREE',
  'PAGER',
  'UAN',
  'VOICEMAIL',
]);

/** The number that was typed, however it was grouped; null where it is none, or has no country code. */
export function readPhoneNumber(typed: unknown): PhoneNumber | null {
  if (typeof typed !== 'string' || typed.length > 40) return null;
  const international = typed.normalize('NFKC').trim().replace(/^00/, '+');
  const read = parsePhoneNumberFromString(international, { extract: false });
  if (!read || read.ext !== undefined || !read.isPossible()) return null;
  // A code that several countries share belongs first to the one that runs it (+1 to the United States).
  return {
    number: read.number,
    country: read.country ?? read.getPossibleCountries()[0] ?? null,
    isService: services.has(read.getType()),
  };
}

/** True for the two letters of a country that has telephone numbers. */
export const isCountry = (text: string): boolean => isSupportedCountry(text);

/** "+49 1511 2345678": grouped as its country does. */
export const shownPhoneNumber = (number: string): string =>
  parsePhoneNumberFromString(number)?.formatInternational() ?? number;

/** "+49 ••••• 78": enough to know which phone to take. */
export function maskedPhoneNumber(number: string): string {
  const code = parsePhoneNumberFromString(number)?.countryCallingCode ?? '';
  return `+${code} ••••• ${number.slice(-2)}`;
}
