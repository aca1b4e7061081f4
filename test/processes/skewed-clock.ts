import { readFileSync } from 'node:fs';

/**
 * Loaded into the server before everything else (`node --import`): its machine's clock is wrong by as many milliseconds as the file
 * that SKEW_FILE names says; read again at SIGUSR2. Nothing in the product knows of it.
 */
const file = process.env.SKEW_FILE ?? '';
const Right = Date;
let skew = Number(readFileSync(file, 'utf8'));
process.on('SIGUSR2', () => {
  skew = Number(readFileSync(file, 'utf8'));
});

const now = (): number => Right.now() + skew;

globalThis.Date = new Proxy(Right, {
  construct: (target, given: []) => (given.length === 0 ? new target(now()) : new target(...given)),
  apply: () => new Right(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});
