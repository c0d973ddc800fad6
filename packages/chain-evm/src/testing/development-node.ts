import { invariant, parseAddress } from '@bulkhead/domain';
import type { Address, Hash } from '@bulkhead/domain';
import { hexQuantity, readAddress, readFields, readHash, readQuantity } from '../shape.ts';
import { openSource } from '../source.ts';

/** A transaction of an account that the node itself signs for. */
export type DevelopmentTransaction = {
  readonly from: Address;
  readonly to?: Address;
  readonly value?: bigint;
  readonly data?: `0x${string}`;
  readonly gas?: bigint;
};

export type DevelopmentReceipt = {
  readonly hash: Hash;
  readonly succeeded: boolean;
  readonly height: bigint;
  readonly created: Address | undefined;
};

/** What a development node does on demand and no real chain ever would: sign for anybody, mine, reorganise, give coin away. */
export interface DevelopmentNode {
  /** Any JSON-RPC call. Throws `chain/unavailable` when the node refuses. */
  call(method: string, ...params: readonly unknown[]): Promise<unknown>;
  /** Accounts with coin that the node signs for. */
  accounts(): Promise<readonly Address[]>;
  /** Sends and waits until it is in a block. The transaction may fail there. */
  send(transaction: DevelopmentTransaction): Promise<DevelopmentReceipt>;
  /** Deploys creation code, with its constructor arguments appended. */
  deploy(from: Address, code: `0x${string}`): Promise<Address>;
  mine(blocks?: number): Promise<void>;
  setBalance(address: Address, wei: bigint): Promise<void>;
  /** Replaces the newest blocks by as many empty ones. */
  reorganise(depth: number): Promise<void>;
}

export function openDevelopmentNode(url: string): DevelopmentNode {
  const source = openSource(url);
  const call = async (method: string, ...params: readonly unknown[]): Promise<unknown> =>
    await source.read({ method, params });
  const send = async (transaction: DevelopmentTransaction): Promise<DevelopmentReceipt> => {
    const { from, to, value, data, gas } = transaction;
    const hash = await call('eth_sendTransaction', {
      from,
      ...(to === undefined ? {} : { to }),
      ...(value === undefined ? {} : { value: hexQuantity(value) }),
      ...(data === undefined ? {} : { data }),
      ...(gas === undefined ? {} : { gas: hexQuantity(gas) }),
    });
    return await receiptOf(call, readHash(hash, 'the hash of a transaction'));
  };
  return {
    call,
    send,
    accounts: async () => {
      const list = await call('eth_accounts');
      return Array.isArray(list) ? list.map((account) => parseAddress(String(account))) : [];
    },
    deploy: async (from, code) => {
      const { created, succeeded } = await send({ from, data: code });
      invariant(created !== undefined && succeeded, 'The contract was not deployed.');
      return created;
    },
    mine: async (blocks = 1) => {
      await call('anvil_mine', hexQuantity(BigInt(blocks)));
    },
    setBalance: async (address, wei) => {
      await call('anvil_setBalance', address, hexQuantity(wei));
    },
    reorganise: async (depth) => {
      await call('anvil_reorg', depth, []);
    },
  };
}

type Call = (method: string, ...params: readonly unknown[]) => Promise<unknown>;

const receiptPauseMs = 20;
const receiptTriesMax = 500;

async function receiptOf(call: Call, hash: Hash): Promise<DevelopmentReceipt> {
  for (let attempt = 0; attempt < receiptTriesMax; attempt++) {
    const receipt = await call('eth_getTransactionReceipt', hash);
    if (receipt !== null) {
      const fields = readFields(receipt, 'a receipt');
      const created = fields['contractAddress'];
      return {
        hash,
        succeeded: readQuantity(fields['status'], 'a status') === 1n,
        height: readQuantity(fields['blockNumber'], 'a height'),
        created: created === null || created === undefined ? undefined : readAddress(created, 'a contract'),
      };
    }
    await new Promise((resolve) => setTimeout(resolve, receiptPauseMs));
  }
  throw new Error(`Transaction ${hash} is in no block.`);
}
