import { destination, type Logger, pino } from 'pino';
import { currentRequest } from './current-request.ts';

const secrets = [
  'password',
  'secret',
  'code',
  'token',
  'cookie',
  'authorization',
  '*.password',
  '*.secret',
  '*.code',
  '*.token',
  '*.cookie',
  '*.authorization',
];

/** Lines of requests may wait so many milliseconds for one another: each write of its own would hold everybody up. */
const longestWait = 100;
const enoughToWrite = 4_096;
/** pino's number for warnings. */
const warning = 40;

/**
 * The log of this process, on standard output: JSON, a line each, without secrets. A warning and all that went before it are
 * written at once, and the rest when the process ends; `kill -9` may cost a tenth of a second of the lines of requests, and never
 * anything of the audit log, which is in the database.
 */
export function createLog(settings: { readonly logLevel: string }): Logger {
  const out = destination({ dest: 1, sync: false, minLength: enoughToWrite });
  let isWaiting = false;
  const write = () => {
    isWaiting = false;
    out.flush();
  };
  return pino(
    {
      level: settings.logLevel,
      base: null,
      redact: { paths: secrets, remove: true },
      mixin: () => {
        const current = currentRequest();
        return current ? { request: current.request } : {};
      },
      hooks: {
        logMethod(args, method, level) {
          method.apply(this, args);
          if (level >= warning) {
            out.flush();
          } else if (!isWaiting) {
            isWaiting = true;
            setTimeout(write, longestWait).unref();
          }
        },
      },
    },
    out,
  );
}
