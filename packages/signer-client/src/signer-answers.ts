import { CustodyError, type SignerAnswer } from '@bulkhead/domain';

/** How long signers that have not answered yet are waited for once enough have. */
export const stragglersMsMax = 500;

type Asked<T> = { readonly signer: string; readonly work: Promise<T> };

/**
 * Answers of several signers that were asked the same. It returns when all have answered or failed, or a little after as many as needed
 * have given a good answer: nobody waits for one that is dead.
 */
export async function answersOf<T>(asked: readonly Asked<T>[], needed: number): Promise<readonly SignerAnswer<T>[]> {
  const answers: SignerAnswer<T>[] = asked.map(({ signer }) => ({
    signer,
    code: 'signer/unavailable',
    message: `${signer} has not answered yet, and enough others have.`,
  }));
  let good = 0;
  let enough: (() => void) | undefined;
  const reached = new Promise<void>((resolve) => (enough = resolve));
  const all = Promise.all(
    asked.map(async ({ signer, work }, at) => {
      answers[at] = await settled(signer, work);
      if ('answer' in answers[at]) good += 1;
      if (good >= needed) enough?.();
    }),
  );
  await Promise.race([all, reached]);
  if (good >= needed) await Promise.race([all, pause(stragglersMsMax)]);
  return [...answers];
}

async function settled<T>(signer: string, work: Promise<T>): Promise<SignerAnswer<T>> {
  try {
    return { signer, answer: await work };
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { signer, code: error.code, message: error.message };
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
