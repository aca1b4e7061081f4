/** Where the time comes from: the database's clock in production, a hand in tests. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };

export const seconds = (n: number): number => n * 1000;
export const minutes = (n: number): number => seconds(n * 60);
export const hours = (n: number): number => minutes(n * 60);
export const days = (n: number): number => hours(n * 24);

/** How many days are left until a moment, begun ones included; 0 where it is over. */
export const daysUntil = (moment: Date, now: Date): number =>
  Math.max(0, Math.ceil((moment.getTime() - now.getTime()) / days(1)));

/** The moment a span of milliseconds after another. */
export const after = (moment: Date, span: number): Date => new Date(moment.getTime() + span);
