import { RequestError } from '../http/errors.ts';
import { finish } from './finish.ts';
import type { Steps } from './steps.ts';

/** "Allow", for applications of third parties. */
export function consentRoutes({ postIn }: Steps): void {
  postIn('consent', '/consent', (visit, { assessment, scopes }) => {
    const { decision } = assessment;
    if (decision.kind !== 'allow') {
      throw new RequestError('sign_in_moved_on');
    }
    return finish(visit, { kind: 'finish', assessment, decision }, scopes.join(' '));
  });
}
