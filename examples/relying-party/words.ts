/** The words of the pages in the language of the browser: English sentences, and what they are called in German. */
export interface Words {
  language: 'en' | 'de';
  /** The sentence, with `{values}` in their places. */
  say(sentence: string, values?: Record<string, string>): string;
}

/** @param accepted what the browser sends as Accept-Language, the best first */
export function wordsFor(accepted = ''): Words {
  const tags = accepted.split(',').map((part) => part.trim().slice(0, 2).toLowerCase());
  const language = tags.find((tag) => tag === 'en' || tag === 'de') === 'de' ? 'de' : 'en';
  return {
    language,
    say: (sentence, values = {}) =>
      (language === 'de' ? (german[sentence] ?? sentence) : sentence).replace(
        /\{(\w+)\}/g,
        (whole, name: string) => values[name] ?? whole,
      ),
  };
}

export const german: Readonly<Record<string, string>> = {
  'Demo application': 'Demo-Anwendung',
  'signs people in at {host}': 'Anmeldung über {host}',
  'Sign in to continue': 'Melden Sie sich an, um fortzufahren',
  'You sign in at {host}. This application sees who you are and how you proved it, and never your password.':
    'Sie melden sich bei {host} an. Diese Anwendung erfährt, wer Sie sind und wie Sie das nachgewiesen haben, aber nie Ihr Passwort.',
  'Sign in': 'Anmelden',
  'Sign out': 'Abmelden',
  'Signed in as {name}': 'Angemeldet als {name}',
  'First factor': 'Erster Faktor',
  'Second factor': 'Zweiter Faktor',
  'not used': 'nicht benutzt',
  'not asked: remembered browser': 'nicht verlangt: gemerkter Browser',
  'code by email': 'Code per E-Mail',
  used: 'benutzt',
  passkey: 'Passkey',
  'You signed in with your first factor only, usually a password. No second factor was used.':
    'Sie haben sich nur mit Ihrem ersten Faktor angemeldet, meist einem Passwort. Ein zweiter Faktor wurde nicht benutzt.',
  'You signed in with your first factor only. The second was not asked for, because you are using a remembered browser.':
    'Sie haben sich nur mit Ihrem ersten Faktor angemeldet. Der zweite wurde nicht verlangt, weil dieser Browser gemerkt ist.',
  'You signed in in two steps, the second with a code sent by email. That is better than a password alone, but an email code does not count as a second factor.':
    'Sie haben sich in zwei Schritten angemeldet, im zweiten mit einem Code per E-Mail. Das ist besser als ein Passwort allein, zählt aber nicht als zweiter Faktor.',
  'You signed in with two factors: something you know, and something you have.':
    'Sie haben sich mit zwei Faktoren angemeldet: mit etwas, das Sie wissen, und mit etwas, das Sie haben.',
  'You signed in with a passkey. It works only on the real site, so nobody can phish it from you: this is the strongest way to sign in.':
    'Sie haben sich mit einem Passkey angemeldet. Er funktioniert nur auf der echten Seite, deshalb kann ihn niemand abfischen: Das ist die stärkste Art der Anmeldung.',
  'The provider did not say how you signed in.':
    'Der Anbieter hat nicht gesagt, wie Sie sich angemeldet haben.',
  'The provider says how you signed in, but in a word that this application does not know: {acr}.':
    'Der Anbieter sagt, wie Sie sich angemeldet haben, aber mit einem Wort, das diese Anwendung nicht kennt: {acr}.',
  'A second factor was asked for, but this sign-in did not use one. An application that needs it has to stop here.':
    'Es wurde ein zweiter Faktor verlangt, aber bei dieser Anmeldung wurde keiner benutzt. Eine Anwendung, die ihn braucht, muss hier abbrechen.',
  'These claims came in answer to your sign-in:': 'Diese Angaben kamen als Antwort auf Ihre Anmeldung:',
  'These claims came in answer to a request for a second factor:':
    'Diese Angaben kamen als Antwort auf die Frage nach einem zweiten Faktor:',
  'These claims came in answer to a request for a fresh second factor:':
    'Diese Angaben kamen als Antwort auf die Frage nach einem neu nachgewiesenen zweiten Faktor:',
  'These claims came in answer to a silent check:':
    'Diese Angaben kamen als Antwort auf eine stille Prüfung:',
  'These claims came in answer to a refresh:': 'Diese Angaben kamen als Antwort auf eine Auffrischung:',
  'What this application knows': 'Was diese Anwendung weiß',
  Claim: 'Angabe',
  Value: 'Wert',
  'how strong the sign-in was': 'wie stark die Anmeldung war',
  'which methods were used': 'welche Methoden benutzt wurden',
  'when the person last signed in': 'wann sich die Person zuletzt angemeldet hat',
  'who, for programs: it never changes': 'wer, für Programme: ändert sich nie',
  'who, for people': 'wer, für Menschen',
  'their email address': 'die E-Mail-Adresse der Person',
  'the session at the provider': 'die Sitzung beim Anbieter',
  'the organizations they belong to': 'die Organisationen der Person',
  password: 'Passwort',
  'one-time code': 'Einmalcode',
  'text message': 'SMS',
  'key in hardware': 'Schlüssel in Hardware',
  'key in software': 'Schlüssel in Software',
  'person verified by the device': 'Person vom Gerät geprüft',
  'more than one factor': 'mehr als ein Faktor',
  'Ask the provider again': 'Den Anbieter noch einmal fragen',
  'A plain request: silent while the session at the provider is good enough.':
    'Eine einfache Anfrage: still, solange die Sitzung beim Anbieter genügt.',
  'Ask for a second factor': 'Zweiten Faktor verlangen',
  'asks unless one was used in this session.':
    'fragt danach, wenn in dieser Sitzung noch keiner benutzt wurde.',
  'Ask for a fresh one': 'Jetzt neu verlangen',
  'asks every time, for something that matters.': 'fragt jedes Mal, für etwas Wichtiges.',
  'Check silently': 'Still prüfen',
  'answers without showing anything, or says why it cannot.':
    'antwortet, ohne etwas zu zeigen, oder sagt, warum das nicht geht.',
  Refresh: 'Auffrischen',
  'New claims by the refresh token; the browser is not involved.':
    'Neue Angaben mit dem Refresh-Token; der Browser ist nicht beteiligt.',
  'Allow refreshing': 'Auffrischen erlauben',
  'asks for your consent, because there is no refresh token yet.':
    'bittet um Ihre Zustimmung, weil es noch kein Refresh-Token gibt.',
  Flights: 'Flüge',
  'The API asks for a second factor that is at most five minutes old. Booked so far:':
    'Die API verlangt einen zweiten Faktor, der höchstens fünf Minuten alt ist. Bisher gebucht:',
  'Book a flight': 'Flug buchen',
  'What the provider sent': 'Was der Anbieter gesendet hat',
  'ID token claims': 'Angaben im ID-Token',
  Userinfo: 'Userinfo',
  'For developers': 'Für Entwickler',
  'Try again': 'Noch einmal versuchen',
  'Back to the application': 'Zurück zur Anwendung',
  'You did not sign in': 'Sie haben sich nicht angemeldet',
  'The sign-in was cancelled, or it is not allowed. Nothing has changed here.':
    'Die Anmeldung wurde abgebrochen oder ist nicht erlaubt. Hier hat sich nichts geändert.',
  'You would have to sign in': 'Sie müssten sich anmelden',
  'You are no longer signed in at the provider, and a silent check cannot show a page to sign in.':
    'Sie sind beim Anbieter nicht mehr angemeldet, und eine stille Prüfung kann keine Anmeldeseite zeigen.',
  'The provider has to ask you something': 'Der Anbieter muss Sie etwas fragen',
  'It would show a page first, for example to ask for a second factor. A silent check cannot do that.':
    'Er würde erst eine Seite zeigen, etwa um einen zweiten Faktor zu verlangen. Eine stille Prüfung kann das nicht.',
  'It needs your consent first, and a silent check cannot ask for it.':
    'Er braucht erst Ihre Zustimmung, und eine stille Prüfung kann nicht darum bitten.',
  'That sign-in was not strong enough': 'Diese Anmeldung war nicht stark genug',
  'This application asked for more proof than the sign-in gave. Try again with a second factor, or set one up at the provider.':
    'Diese Anwendung hat einen stärkeren Nachweis verlangt, als die Anmeldung gab. Versuchen Sie es noch einmal mit einem zweiten Faktor, oder richten Sie beim Anbieter einen ein.',
  'You could not be signed in': 'Sie konnten nicht angemeldet werden',
  'The provider could not do what this application asked for. You can try again.':
    'Der Anbieter konnte nicht tun, was diese Anwendung verlangt hat. Sie können es noch einmal versuchen.',
  'This sign-in was not started here': 'Diese Anmeldung wurde nicht hier begonnen',
  'The answer does not belong to a request of this browser, or it was used already. Start again from {home}':
    'Die Antwort gehört zu keiner Anfrage dieses Browsers oder wurde schon benutzt. Beginnen Sie noch einmal bei {home}',
  'Please sign in again': 'Bitte melden Sie sich erneut an',
  'The provider no longer renews your sign-in, so you have been signed out here.':
    'Der Anbieter erneuert Ihre Anmeldung nicht mehr, deshalb wurden Sie hier abgemeldet.',
  'That did not come from this application': 'Das kam nicht von dieser Anwendung',
  'Nothing has been done. Open {home} and press the button there.':
    'Es ist nichts geschehen. Öffnen Sie {home}, und klicken Sie dort auf die Schaltfläche.',
  'The sign-in service does not answer': 'Der Anmeldedienst antwortet nicht',
  '{host} cannot be reached at the moment. Try again in a few seconds.':
    '{host} ist im Moment nicht erreichbar. Versuchen Sie es in ein paar Sekunden noch einmal.',
  'Something went wrong': 'Etwas ist schiefgegangen',
  'What the provider sent could not be used. It has been logged; you can try again.':
    'Was der Anbieter gesendet hat, war nicht verwendbar. Es wurde protokolliert; Sie können es noch einmal versuchen.',
  'There is no such page': 'Diese Seite gibt es nicht',
  'The address may be mistyped.': 'Die Adresse ist vielleicht vertippt.',
};
