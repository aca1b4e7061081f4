import { factors } from '../factors/index.ts';
import { isSignedInTo } from '../flows/api-clients.ts';
import { changeOrganizationPolicy } from '../flows/change-organization-policy.ts';
import type { PolicyRules } from '../flows/change-policy.ts';
import { confirmation, sendConfirmation } from '../flows/confirm-by-mail.ts';
import { announcePolicies, readNotices, remindNow } from '../flows/notify-members.ts';
import type { OrganizationVisit } from '../flows/organization-actor.ts';
import { organizationApplications } from '../flows/organization-applications.ts';
import { type PolicyPreview, policyVersion, previewPolicy } from '../flows/preview-policy.ts';
import { readMemberFigures } from '../flows/read-members.ts';
import { leaveFlash } from '../http/flash.ts';
import type { TwoFactorPage } from '../http/organization-pages.ts';
import type { Note, Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { Form, SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { spanWords } from '../http/span-words.ts';
import { days } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { requirements } from '../policy/types.ts';
import {
  anotherNumber,
  type PolicyForm,
  policyFields,
  readPolicyForm,
  storedForm,
} from './two-factor-form.ts';
import { basePath, framedBy, inSession, organizationOf, textOf, withProof } from './visit.ts';
import { options, roleLabels } from './words.ts';

const requirementLabels: Readonly<Record<PolicyRules['requirement'], readonly [string, string]>> = {
  optional: ['Optional', 'People may turn it on for themselves.'],
  recommended: ['Recommended', 'Everyone is asked at sign-in and may say "Not now".'],
  required_for_admins: ['Required for admins', 'Owners and admins must. A good first step.'],
  required_for_all: ['Required for all', 'Everyone must, to reach any application.'],
};

interface Shown {
  readonly form: PolicyForm;
  /** As it was sent: a preview of it has an address. */
  readonly given?: Given;
  /** Where the list of the preview begins; null at its start. */
  readonly from?: string | null;
  readonly preview: PolicyPreview | null;
  readonly note: Note | null;
  readonly code: TwoFactorPage['code'];
}

/** Who must have a second factor, from when, and which ones count. */
export function twoFactorRoutes({ get, post }: SignedInRoutes): void {
  get('/:slug/two-factor', inSession('policy.read'), async (visit) => {
    const there = await organizationOf(visit);
    const given = Object.keys(visit.held).length > 0 ? visit.held : visit.ctx.query;
    if (given.requirement === undefined) {
      return showPage(visit, there, {
        form: storedForm(there.policy),
        preview: null,
        note: null,
        code: null,
      });
    }
    const form = readPolicyForm(given, there.policy);
    if (isWrong(form)) return showPage(visit, there, { form, preview: null, note: wrong(form), code: null });
    const from = given === visit.held ? null : textOf(visit.ctx.query.after) || null;
    const preview = await previewPolicy(visit.site.services, there, form.values, from);
    const note: Note | null = preview.isChange
      ? null
      : { tone: 'info', text: 'Nothing is changed: this is the policy as it is saved.' };
    return showPage(visit, there, { form, given, from, preview, note, code: null });
  });

  /** Leads to an address that can be sent to a colleague, with the fields and without the form's token. */
  post('/:slug/two-factor/preview', inSession('policy.read'), async (visit, given) => {
    const { ctx } = visit;
    const address = previewAddress(visit, given);
    if (address !== null) {
      ctx.status = 303;
      return ctx.redirect(address);
    }
    const there = await organizationOf(visit);
    const form = readPolicyForm(given, there.policy);
    const preview = isWrong(form) ? null : await previewPolicy(visit.site.services, there, form.values);
    return showPage(visit, there, { form, preview, note: isWrong(form) ? wrong(form) : null, code: null });
  });

  post('/:slug/two-factor', withProof('policy.change', policyFields), save);

  get('/:slug/two-factor/mails', inSession('policy.read'), async (visit) => {
    const there = await organizationOf(visit);
    const { ctx, site } = visit;
    const [createdAt, userId] = textOf(ctx.query.after).split('.');
    const from =
      createdAt && userId && /^\d{1,15}$/.test(createdAt) ? { createdAt: Number(createdAt), userId } : null;
    const onlyFailed = ctx.query.state === 'failed';
    const { notices, hasMore, failed } = await readNotices(site.services, there, from, 50, onlyFailed);
    const figures = await readMemberFigures(site.services, there.organization.id, there.policy);
    const last = notices.at(-1);
    show(ctx, site.renderer, 'organizations/notices', {
      ...(await framedBy(visit)),
      failed,
      other: onlyFailed ? ctx.path : failed > 0 ? `${ctx.path}?state=failed` : null,
      isFiltered: onlyFailed,
      rows: notices.map((notice) => ({
        url: `${basePath(ctx)}/members/${encodeURIComponent(notice.user_id)}`,
        name: notice.name ?? notice.email,
        email: notice.email,
        what: noticeWords(notice.kind),
        at: new Date(notice.created_at),
        tag:
          notice.failed_at !== null
            ? { tone: 'danger', text: 'Did not arrive' }
            : notice.sent_at !== null
              ? { tone: 'ok', text: 'Sent' }
              : { tone: 'plain', text: 'Waiting' },
      })),
      next:
        hasMore && last
          ? `${ctx.path}?after=${last.created_at}.${encodeURIComponent(last.user_id)}${onlyFailed ? '&state=failed' : ''}`
          : null,
      remind:
        figures.mustAct === 0
          ? null
          : { action: `${basePath(ctx)}/two-factor/remind`, people: figures.mustAct },
    });
  });

  post('/:slug/two-factor/remind', inSession('policy.change'), async (visit) => {
    const { ctx, site } = visit;
    const n = await remindNow(site.services, await organizationOf(visit));
    leaveFlash(ctx, site.services.ring, {
      tone: 'ok',
      text:
        n === 0
          ? 'Everybody who must act has had a mail today.'
          : { sentence: '{n} mail is on its way.|{n} mails are on their way.', values: { n } },
    });
    ctx.status = 303;
    ctx.redirect(`${basePath(ctx)}/two-factor/mails`);
  });
}

type Given = { readonly [field: string]: unknown };

/** Where a preview of these fields is to be found; null where that would be too long to be asked for. */
function previewAddress(
  { ctx }: SignedIn,
  given: Given,
  more: Readonly<Record<string, string>> = {},
): string | null {
  const fields = policyFields.flatMap((name): [string, string][] =>
    textsOrText(given[name]).map((value) => [name, value]),
  );
  const address = `${basePath(ctx)}/two-factor?${new URLSearchParams([...fields, ...Object.entries(more)])}`;
  return address.length <= longestAddress ? address : null;
}

const textsOrText = (value: unknown): string[] =>
  [value].flat().filter((one): one is string => typeof one === 'string');

/** Servers and proxies take 8 kB with everything else that a request says. */
const longestAddress = 4000;

const isWrong = ({ problems }: PolicyForm): boolean => Object.keys(problems).length > 0;

/** What stands above the form; fields say their own beside themselves. */
const wrong = ({ problems }: PolicyForm): Note => ({
  tone: 'danger',
  text:
    problems[''] ??
    problems.methods ??
    problems.applications ??
    'Nothing was saved: look at the fields below.',
});

async function save(visit: SignedIn, given: Form): Promise<void> {
  const { ctx, site, actor, assessment } = visit;
  const { services } = site;
  const there = await organizationOf(visit);
  const form = readPolicyForm(given, there.policy);
  if (isWrong(form)) {
    return showPage(visit, there, { form, preview: null, note: wrong(form), code: null }, 422);
  }
  const { values } = form;
  const again = async (note: Note | null, code: TwoFactorPage['code'], status = 200) => {
    const preview = await previewPolicy(services, there, values);
    return showPage(visit, there, { form, given, preview, note, code }, status);
  };
  const preview = await previewPolicy(services, there, values);
  if (preview.isChange && textOf(given.previewed) !== nameOf(values)) {
    return again({ tone: 'info', text: 'This is what it changes. Look at it, then save.' }, null);
  }
  // Whoever has a factor has just used it (the guard's fresh proof); the others prove their mailbox.
  const needsCode = assessment.factors.length === 0 && preview.isChange;
  let confirmed: Awaited<ReturnType<typeof confirmation>> = [];
  if (needsCode) {
    const id = textOf(given.codeId);
    confirmed = id === '' ? null : await confirmation(services, actor, ctx.path, { id, code: given.code });
    if (confirmed === null) {
      const sent = id === '' ? await sendConfirmation(services, actor, assessment, ctx.path) : id;
      if (sent === null)
        return again(
          { tone: 'danger', text: 'No code can be sent at the moment. Try again in a few minutes.' },
          null,
          429,
        );
      const error: Sentence | null =
        id === '' ? null : 'That code is not right. Enter the newest one that you got.';
      return again(null, { id: sent, to: actor.user.email, error }, id === '' ? 200 : 422);
    }
  }
  const outcome = await changeOrganizationPolicy(services, there, {
    change: values,
    expectedVersion: textOf(given.version),
    notify: given.quiet !== '1',
    confirmedBy: needsCode ? 'email_code' : 'factor',
    also: confirmed,
  });
  switch (outcome.kind) {
    case 'conflict': {
      return showPage(
        visit,
        there,
        {
          form: storedForm(there.policy),
          preview: null,
          note: {
            tone: 'danger',
            text: 'Somebody else has changed this policy since you opened it. Nothing of yours was saved. This is how it is now.',
          },
          code: null,
        },
        409,
      );
    }
    case 'owners_lack_factor':
    case 'no_method':
      return again(null, null, 422);
    default:
      leaveFlash(ctx, services.ring, {
        tone: 'ok',
        text:
          outcome.kind === 'unchanged'
            ? 'Nothing was changed.'
            : outcome.toNotify === 0
              ? 'The policy is saved. It holds from now on, at every sign-in.'
              : outcome.someWereTold
                ? 'The policy is saved and holds from now on. Whoever must act and was not told of their date yet gets a mail.'
                : {
                    sentence:
                      'The policy is saved and holds from now on. {n} person gets a mail.|The policy is saved and holds from now on. {n} people get a mail.',
                    values: { n: outcome.toNotify },
                  },
      });
      // The job does it within seconds, wherever this process ends; here it begins at once.
      void announcePolicies(services).catch(() => {});
      ctx.status = 303;
      ctx.redirect(ctx.path);
  }
}

const nameOf = (values: PolicyRules): string => digest(JSON.stringify(values)).slice(0, 16);

async function showPage(
  visit: SignedIn,
  there: OrganizationVisit,
  { form, given, from = null, preview, note, code }: Shown,
  status = 200,
): Promise<void> {
  const { ctx, site } = visit;
  const { services } = site;
  const now = services.db.clock.now();
  const figures = await readMemberFigures(services, there.organization.id, there.policy);
  const applications = await organizationApplications(services, there);
  const { values, typed, problems } = form;
  const isAnother = problems.graceNumber !== undefined || !usualGrace.includes(values.graceDays);
  show(
    ctx,
    site.renderer,
    'organizations/two-factor',
    {
      ...(await framedBy(visit)),
      action: `${basePath(ctx)}/two-factor`,
      previewAction: `${basePath(ctx)}/two-factor/preview`,
      version: policyVersion(there.organization.policy),
      previewed: preview ? nameOf(values) : '',
      note,
      requirement: options(
        requirements.map((value) => [value, ...requirementLabels[value]] as const),
        values.requirement,
      ),
      others: options(
        [
          ['optional', 'Optional'],
          ['recommended', 'Recommended'],
        ],
        values.others,
      ),
      graceDays: options(
        [
          ...usualGrace.map((n) => [String(n), graceLabel(n)] as const),
          [anotherNumber, 'Another number of days'] as const,
        ],
        isAnother ? anotherNumber : String(values.graceDays),
      ),
      typed,
      problems,
      methods: factors
        .filter(({ id }) => services.available.includes(id) || values.methods.includes(id))
        .map(({ id, label }) => ({
          value: id,
          label,
          hint: weaknesses[id] ?? null,
          chosen: values.methods.includes(id),
        })),
      rememberDeviceDays: options(
        withChosen([0, 7, 14, 30, 90], values.rememberDeviceDays).map(
          (n) => [String(n), rememberLabel(n)] as const,
        ),
        String(values.rememberDeviceDays),
      ),
      idleMinutes: spans([15, 30, 60, 120, 240, 480], values.sessions.idleMinutes),
      absoluteMinutes: spans([60, 240, 480, 720, 1440], values.sessions.absoluteMinutes),
      offlineDays: options(
        withChosen([0, 1, 7, 14], values.sessions.offlineDays).map(
          (n) => [String(n), offlineLabel(n)] as const,
        ),
        String(values.sessions.offlineDays),
      ),
      modelsNeedRoots: values.passkeyModels !== null && services.settings.passkeyRoots.length === 0,
      hasTextMessages: services.available.includes('sms'),
      applications: applications.filter(isSignedInTo).map(({ clientId, name }) => ({
        value: clientId,
        label: { sentence: '{application}', values: { application: name } },
        chosen: values.applications !== 'all' && values.applications.includes(clientId),
      })),
      coversAll: values.applications === 'all',
      showAgain: values.recoveryCodes.showAgain,
      replaceUsed: values.recoveryCodes.replaceUsed,
      preview:
        preview?.isChange === true
          ? {
              mustAct: preview.after.mustAct,
              of: preview.after.members,
              stopped: preview.after.overdue,
              until: preview.after.inGrace > 0 ? new Date(now.getTime() + days(values.graceDays)) : null,
              adviseAdminsFirst: preview.adviseAdminsFirst,
              isWeaker: preview.isWeaker,
              owners: preview.ownersWithout.map(({ name, email }) => (name ? `${name} (${email})` : email)),
              ownersCount: preview.asksOwners ? preview.after.byRole.owner : null,
              hasNoMethod: preview.hasNoMethod,
              endsSessions:
                values.sessions.idleMinutes < there.policy.sessions.idleMinutes ||
                values.sessions.absoluteMinutes < there.policy.sessions.absoluteMinutes ||
                values.sessions.offlineDays < there.policy.sessions.offlineDays,
              list: {
                rows: preview.mustAct.members.map((member) => ({
                  name: member.name ?? member.email,
                  email: member.email,
                  role: roleLabels[member.role],
                  by: member.state.kind === 'in_grace' ? member.state.until : null,
                })),
                first: given && from !== null ? previewAddress(visit, given) : null,
                next:
                  given && preview.mustAct.next !== null
                    ? previewAddress(visit, given, { after: preview.mustAct.next })
                    : null,
              },
            }
          : null,
      now: { mustAct: figures.mustAct, overdue: figures.overdue, of: figures.members },
      code,
      notices: `${basePath(ctx)}/two-factor/mails`,
    },
    status,
  );
}

const usualGrace: readonly number[] = [0, 7, 30];

/** The usual numbers, and the one that is chosen. */
const withChosen = (usual: readonly number[], chosen: number): number[] =>
  [...new Set([...usual, chosen])].sort((a, b) => a - b);

const spans = (usual: readonly number[], chosen: number) =>
  options(
    withChosen(usual, chosen).map((n) => [String(n), spanWords(n)] as const),
    String(chosen),
  );

const offlineLabel = (n: number): Sentence =>
  n === 0 ? 'No longer than the sign-in' : { sentence: '{n} day|{n} days', values: { n } };

const weaknesses: { readonly [method: string]: Sentence } = {
  sms: 'can be intercepted',
  email: 'two steps, not two factors',
};

const graceLabel = (n: number): Sentence =>
  n === 0 ? 'None: at the next sign-in' : { sentence: '{n} day|{n} days', values: { n } };
const rememberLabel = (n: number): Sentence =>
  n === 0 ? 'Never' : { sentence: 'For {n} day|For {n} days', values: { n } };

function noticeWords(kind: string): Sentence {
  switch (kind) {
    case 'announced':
      return 'Policy saved';
    case 'asked':
      return 'Reminder by hand';
    case '0':
      return 'Reminder on the day';
    default:
      return { sentence: 'Reminder {n} day before|Reminder {n} days before', values: { n: Number(kind) } };
  }
}
