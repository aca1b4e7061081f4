import { parentPort } from 'node:worker_threads';
import { hashSync } from 'bcryptjs';

// bcryptjs would stay on the event loop for up to 100 ms at a time, also when called asynchronously.
parentPort?.on('message', ({ password, salt }: { password: string; salt: string }) => {
  parentPort?.postMessage(hashSync(password, salt));
});
