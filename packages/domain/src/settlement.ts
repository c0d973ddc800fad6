import type { AccountName } from './account.ts';
import { type AssetId, chainOf, nativeAsset } from './asset.ts';
import type { BlockRef } from './chain.ts';
import type { Compartment } from './compartment.ts';
import type { DispatchOutcome } from './dispatch.ts';
import { invariant } from './fault.ts';
import { type TransferRequest, transferKey } from './transfer.ts';

/** A movement of our own that no client approves: what the books need to know about it. */
export type OwnMovement = {
  readonly id: string;
  /** A relay moves nothing: it carries what others signed, and the house pays for it. */
  readonly kind: 'sweep' | 'gas-grant' | 'fee-payment' | 'relay';
  /** Paying side. */
  readonly compartment: Compartment;
  readonly wallet: string;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly feeMax: bigint;
  /** Receiving side; the same compartment for a sweep. */
  readonly toCompartment: Compartment;
  readonly toWallet: string;
  /** Whose gas pays, whose gas is granted, whose fees are paid; '' for coins of nobody. */
  readonly client: string;
};

/** The client's (or nobody's) coins at an address that are there to pay network fees. */
export function gasAccount(client: string): AccountName {
  return { kind: 'gas', holder: client };
}

/** Holds a fee payment opens with: the client's debt cannot be paid twice. Other kinds hold nothing before they have a nonce. */
export function openingHolds(movement: OwnMovement): TransferRequest[] {
  if (movement.kind !== 'fee-payment') return [];
  return [
    {
      type: 'hold',
      key: transferKey('dispatch', movement.id, 'principal-hold'),
      compartment: movement.compartment,
      asset: movement.asset,
      debit: { kind: 'fee-payable', holder: movement.client },
      credit: { kind: 'wallet', holder: movement.wallet },
      amount: movement.amount,
      code: 'fee-payment-hold',
      reference: movement.id,
    },
  ];
}

/** Holds taken together with the nonce: the gas that the transaction may burn. The house needs none for its own coins. */
export function nonceHolds(movement: OwnMovement): TransferRequest[] {
  if (movement.kind === 'gas-grant' || movement.kind === 'relay') return [];
  return [
    {
      type: 'hold',
      key: transferKey('dispatch', movement.id, 'fee-hold'),
      compartment: movement.compartment,
      asset: nativeAsset(chainOf(movement.asset)),
      debit: gasAccount(movement.client),
      credit: { kind: 'wallet', holder: movement.wallet },
      amount: movement.feeMax,
      code: 'network-fee-hold',
      reference: movement.id,
    },
  ];
}

export type Ending = {
  readonly outcome: DispatchOutcome;
  readonly fee: bigint;
  readonly block?: BlockRef;
  /** Whether {@link nonceHolds} were taken. */
  readonly hadNonce: boolean;
};

/** What the books say when it is over, as one linked group. */
export function endingTransfers(movement: OwnMovement, ending: Ending): TransferRequest[] {
  const transfers = [...feeTransfers(movement, ending)];
  if (ending.outcome === 'succeeded') {
    invariant(ending.block !== undefined, 'A movement that succeeded has a block.', { id: movement.id });
    transfers.push(...principalTransfers(movement, ending.block));
  } else if (movement.kind === 'fee-payment') {
    transfers.push({
      type: 'void-hold',
      key: transferKey('dispatch', movement.id, 'principal-void'),
      hold: transferKey('dispatch', movement.id, 'principal-hold'),
      code: 'fee-payment-void',
      reference: movement.id,
    });
  }
  return transfers;
}

function feeTransfers(movement: OwnMovement, ending: Ending): TransferRequest[] {
  const { id } = movement;
  const hold = transferKey('dispatch', id, 'fee-hold');
  const burnt = ending.fee > 0n && ending.block !== undefined;
  if (movement.kind === 'gas-grant' || movement.kind === 'relay') {
    return burnt ? [houseExpense(movement, { part: 'fee', amount: ending.fee, block: ending.block })] : [];
  }
  if (!ending.hadNonce) return [];
  return burnt
    ? [
        {
          type: 'post-hold',
          key: transferKey('dispatch', id, 'fee'),
          hold,
          amount: ending.fee,
          code: 'network-fee',
          reference: id,
          block: ending.block,
        },
      ]
    : [
        {
          type: 'void-hold',
          key: transferKey('dispatch', id, 'fee-void'),
          hold,
          code: 'network-fee-void',
          reference: id,
        },
      ];
}

function houseExpense(
  movement: OwnMovement,
  spent: { part: string; amount: bigint; block: BlockRef },
): TransferRequest {
  return {
    type: 'post',
    key: transferKey('dispatch', movement.id, spent.part),
    compartment: movement.compartment,
    asset: nativeAsset(chainOf(movement.asset)),
    debit: { kind: 'network-fee', holder: '' },
    credit: { kind: 'wallet', holder: movement.wallet },
    amount: spent.amount,
    code: spent.part === 'fee' ? 'network-fee' : 'gas-grant-paid',
    reference: movement.id,
    block: spent.block,
    ...(spent.part === 'fee' ? {} : { link: movement.id }),
  };
}

function principalTransfers(movement: OwnMovement, block: BlockRef): TransferRequest[] {
  const { id, amount, asset } = movement;
  const arrival = { type: 'post', compartment: movement.toCompartment, asset, amount, reference: id, block } as const;
  const toWallet: AccountName = { kind: 'wallet', holder: movement.toWallet };
  switch (movement.kind) {
    case 'relay':
      return [];
    case 'sweep':
      return [
        {
          ...arrival,
          key: transferKey('dispatch', id, 'principal'),
          debit: toWallet,
          credit: { kind: 'wallet', holder: movement.wallet },
          code: 'sweep',
        },
      ];
    case 'gas-grant':
      // Two halves in two books, joined by the link: the house spends, the client's address holds gas.
      return [
        houseExpense(movement, { part: 'principal', amount, block }),
        {
          ...arrival,
          key: transferKey('dispatch', id, 'arrival'),
          debit: toWallet,
          credit: gasAccount(movement.client),
          code: 'gas-grant',
          link: id,
        },
      ];
    case 'fee-payment':
      return [
        {
          type: 'post-hold',
          key: transferKey('dispatch', id, 'principal'),
          hold: transferKey('dispatch', id, 'principal-hold'),
          amount,
          code: 'fee-payment',
          reference: id,
          block,
          link: id,
        },
        {
          ...arrival,
          key: transferKey('dispatch', id, 'arrival'),
          debit: toWallet,
          credit: { kind: 'fee-income', holder: '' },
          code: 'fee-income',
          link: id,
        },
      ];
  }
}
