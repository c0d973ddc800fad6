import type { Address, AssetId } from '@bulkhead/domain';
import { until, words } from './client.ts';
import type { Player, Scene } from './scene.ts';

export type Wish = {
  readonly step: string;
  readonly player: Player;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly to: Address;
  readonly feePayer: string;
  /** Out of a vault to anywhere: the client's key signs this one payment, too. */
  readonly oneOff?: boolean;
};

export async function request({ api, cast }: Scene, wish: Wish): Promise<string> {
  const withdrawal = await api.write(cast.operator, '/v1/withdrawals', {
    step: wish.step,
    body: {
      clientId: wish.player.id,
      asset: wish.asset,
      amount: wish.amount.toString(),
      destination: wish.to,
      feePayer: wish.feePayer,
      ...(wish.oneOff === undefined ? {} : { oneOff: wish.oneOff }),
    },
  });
  const id = words(withdrawal, 'id');
  await until(`withdrawal ${id} to be screened`, async () => {
    const state = await stateOf({ api, cast }, id);
    return state === 'requested' ? undefined : state;
  });
  return id;
}

export async function stateOf({ api, cast }: Pick<Scene, 'api' | 'cast'>, id: string): Promise<string> {
  return words(await api.read(cast.operator, `/v1/withdrawals/${id}`), 'state');
}

export async function release({ api, cast }: Scene, id: string): Promise<void> {
  await api.ask(cast.approvers[0], `/v1/withdrawals/${id}/release`, { step: `release-${id}` });
}

/** The requester signs what the server made of the wish, then two others do. Each of them reads the same text. */
export async function approve(scene: Scene, id: string): Promise<void> {
  const { signatories } = scene;
  await release(scene, id);
  await signatories.signRequest('operator', id);
  await signatories.approveWithdrawal('approver-1', id);
  await signatories.approveWithdrawal('approver-2', id);
}

export async function ended(scene: Scene, id: string): Promise<string> {
  return until(`withdrawal ${id} to end`, async () => {
    const state = await stateOf(scene, id);
    return ['settled', 'failed', 'rejected', 'cancelled', 'expired'].includes(state) ? state : undefined;
  });
}
