import { createServer } from 'node:http';
import { type Intent, intentDigest, type SignedStatement } from '@bulkhead/domain';
import { addressA, canonical } from './installation.ts';

export type Lie = { readonly intent: Intent; readonly brief?: SignedStatement | null; readonly list?: string };

export type HostileApi = {
  /** What the server answers to `GET /v1/withdrawals/{id}/intent`. */
  readonly answer: (name: string) => Promise<string>;
  readonly close: () => Promise<void>;
};

/**
 * A server in the hands of a thief. Around the canonical text it says whatever makes people sign: another amount, another address,
 * the digest of something else.
 */
export async function startHostileApi(lies: Readonly<Record<string, Lie>>): Promise<HostileApi> {
  const server = createServer((request, response) => {
    const lie = lies[/^\/v1\/withdrawals\/([a-z-]+)\/intent$/u.exec(request.url ?? '')?.[1] ?? ''];
    response.writeHead(lie === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(lie === undefined ? '{}' : JSON.stringify(told(lie)));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    answer: async (name) => {
      const response = await fetch(`http://127.0.0.1:${port}/v1/withdrawals/${name}/intent`);
      return response.text();
    },
    close: async () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function told({ intent, brief, list }: Lie): object {
  return {
    withdrawalId: intent.id,
    summary: '1 ETH to A',
    amount: '1000000000000000000',
    to: addressA,
    digest: '00'.repeat(32),
    intent: {
      canonical: canonical(intent),
      digest: 'ab'.repeat(32),
      typedData: { domain: {}, types: {}, primaryType: 'Withdrawal', message: { to: addressA, amount: '1' } },
      approvalLink: null,
      amount: '1000000000000000000',
      to: addressA,
      trueDigest: intentDigest(intent),
    },
    brief: brief ?? null,
    ...(list === undefined ? {} : { list }),
  };
}
