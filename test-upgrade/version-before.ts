import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { projectRoot } from '../config/settings.ts';

export interface VersionBefore {
  /** As git knows it. */
  readonly name: string;
  /** Its schema may be changed by migrations only. Before the first release there is none. */
  readonly isReleased: boolean;
  readonly dir: string;
  /** `sallyport` of that version. */
  readonly bin: string;
  remove(): void;
}

const git = (...args: readonly string[]): string =>
  execFileSync('git', args, { cwd: projectRoot, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

const earlier = 20;

/** The last release before this commit; without one, what the main line was some commits ago. */
function refBefore(): { name: string; isReleased: boolean } {
  try {
    return { name: git('describe', '--tags', '--abbrev=0', '--match', 'v[0-9]*', 'HEAD^'), isReleased: true };
  } catch {
    return { name: git('rev-parse', '--short', '--verify', `HEAD~${earlier}`), isReleased: false };
  }
}

/** Checks the version before out beside this one, with the packages that it wants. */
export function versionBefore(): VersionBefore {
  const wanted = process.env.UPGRADE_FROM;
  const { name, isReleased } = wanted ? { name: wanted, isReleased: wanted.startsWith('v') } : refBefore();
  const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-before-'));
  const archive = execFileSync('git', ['archive', name], { cwd: projectRoot, maxBuffer: 2 ** 28 });
  execFileSync('tar', ['-x', '-C', dir], { input: archive });
  const lock = (of: string) => readFileSync(path.join(of, 'package-lock.json'), 'utf8');
  if (lock(dir) === lock(projectRoot)) {
    symlinkSync(path.join(projectRoot, 'node_modules'), path.join(dir, 'node_modules'));
  } else {
    execFileSync('npm', ['ci', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund'], {
      cwd: dir,
      stdio: 'ignore',
    });
  }
  return {
    name,
    isReleased,
    dir,
    bin: path.join(dir, 'cli/sallyport.js'),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
