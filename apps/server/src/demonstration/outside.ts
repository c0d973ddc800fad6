import { setTimeout as pause } from 'node:timers/promises';
import { type Artifact, demoToken, door, payer } from '@bulkhead/contracts';
import { type Address, CustodyError, invariant, parseAddress } from '@bulkhead/domain';
import { encodeFunctionData, getContractAddress, isHex, keccak256 } from 'viem';

/** Development accounts that anvil unlocks: their keys are public, their coins worthless. */
const deployer: Address = parseAddress('0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266');
const payingStranger: Address = parseAddress('0x70997970c51812dc3a010c7d01b50e0d17dc79c8');
/** Where the thief puts what was taken. */
export const thief: Address = parseAddress('0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc');
/** Where clients withdraw to. */
export const clientsOwn: Address = parseAddress('0x90f79bf6eb2c4f870365e785982e1f101e93b906');

/** Whoever carries calls that need no rights. */
const relayer: Address = parseAddress('0x15d34aaf54267db7d7c367839aaf71a00a2c6a65');
/** Its key, which everybody knows who has read the manual of anvil. */
export const relayerKey = '47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a';
/** Where the clients' vaults pay when a client leaves. */
export const clientsRefuge: Address = parseAddress('0x9965507d1a55bcc2695c58ba16fb37d819b0a4dc');
/** Gas of such a call, in hex: a vault that is made and pays takes a fifth of it. */
const relayGas = '0xf4240';

/** To whom Boreas pays once, and who is no destination of its vault. */
export const seller: Address = parseAddress('0x976ea74026e726554db657fa54763abd0c3a0aa9');
/** An address that nobody has enrolled anywhere. */
export const fresh: Address = parseAddress('0x14dc79964da2c08b23698b3d3cc7ca32193d9955');

/** What anvil gives each of its accounts, in wei. */
const coinAtFirst = 10_000n * 10n ** 18n;
const receiptWaitMs = 20_000;
const receiptPauseMs = 50;

/** Contracts of the demonstration, each at the address that the deployer's nonce gives. */
export type Stage = { readonly token: Address; readonly payer: Address; readonly door: Address };

export const stage: Stage = {
  token: contractAt(0n),
  payer: contractAt(1n),
  door: contractAt(2n),
};

function contractAt(nonce: bigint): Address {
  return parseAddress(getContractAddress({ from: deployer, nonce }));
}

type Call = {
  readonly from: Address;
  readonly to?: Address;
  readonly value?: bigint;
  readonly data?: `0x${string}`;
  readonly tip?: bigint;
};

/**
 * The world outside the custodian on the development chain: people who pay in, and a thief. It talks to the node directly and
 * knows nothing of Bulkhead. Every payment has its own nonce of one account, so that a story that is played again after an
 * interruption pays nobody twice.
 */
export class Outside {
  /** Where the node answers. */
  readonly url: string;
  #id = 0;

  constructor(rpcUrl: string) {
    this.url = rpcUrl;
  }

  async rpc(method: string, ...params: readonly unknown[]): Promise<unknown> {
    const answer = await this.#answer(method, params);
    if ('error' in answer) {
      throw new CustodyError(
        'chain/unavailable',
        `The development chain refuses ${method}: ${JSON.stringify(answer.error)}.`,
      );
    }
    return 'result' in answer ? answer.result : undefined;
  }

  async #answer(method: string, params: readonly unknown[]): Promise<object> {
    this.#id += 1;
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: this.#id, method, params }),
    });
    const answer: unknown = await response.json();
    invariant(typeof answer === 'object' && answer !== null, 'The development chain answered no object.');
    return answer;
  }

  async #text(method: string, ...params: readonly unknown[]): Promise<string> {
    const result = await this.rpc(method, ...params);
    invariant(typeof result === 'string', `The development chain answered ${method} with no text.`);
    return result;
  }

  async #send(call: Call, nonce: bigint | undefined): Promise<string> {
    const quantity = (value: bigint): string => `0x${value.toString(16)}`;
    return this.#text('eth_sendTransaction', {
      from: call.from,
      ...(call.to === undefined ? {} : { to: call.to }),
      value: quantity(call.value ?? 0n),
      ...(call.data === undefined ? {} : { data: call.data }),
      ...(nonce === undefined ? {} : { nonce: quantity(nonce) }),
      ...(call.tip === undefined
        ? {}
        : { maxPriorityFeePerGas: quantity(call.tip), maxFeePerGas: quantity(call.tip * 4n) }),
    });
  }

  async sentBy(account: Address): Promise<bigint> {
    return BigInt(await this.#text('eth_getTransactionCount', account, 'latest'));
  }

  /** Does a numbered act once: not again if the account's nonce says that it was done. */
  async #once(call: Call, nonce: bigint): Promise<void> {
    if ((await this.sentBy(call.from)) > nonce) return;
    await this.#send(call, nonce);
    const deadline = Date.now() + receiptWaitMs;
    while ((await this.sentBy(call.from)) <= nonce) {
      if (Date.now() > deadline) throw new CustodyError('chain/unavailable', 'The development chain mines no blocks.');
      await pause(receiptPauseMs);
    }
  }

  /** Deploys what the demonstration needs; on a chain where it stands already, does nothing. */
  async buildStage(): Promise<void> {
    const artifacts: readonly Artifact[] = [demoToken, payer, door];
    for (const [index, artifact] of artifacts.entries()) {
      await this.#once({ from: deployer, data: artifact.bytecode }, BigInt(index));
    }
    await this.#once({ from: deployer, to: stage.token, data: tokenCall('mint', payingStranger, 10n ** 12n) }, 3n);
  }

  /** The stranger's payment number `index`, in native coin. */
  async pay(index: bigint, to: Address, value: bigint): Promise<void> {
    await this.#once({ from: payingStranger, to, value }, index);
  }

  /** As {@link pay}, by a call inside a contract: the transaction itself pays the recipient nothing. */
  async payInside(index: bigint, to: Address, value: bigint): Promise<void> {
    const data = encodeFunctionData({ abi: payer.abi, functionName: 'pay', args: [[to], [value]] });
    await this.#once({ from: payingStranger, to: stage.payer, value, data }, index);
  }

  async payToken(index: bigint, to: Address, amount: bigint): Promise<void> {
    await this.#once({ from: payingStranger, to: stage.token, data: tokenCall('transfer', to, amount) }, index);
  }

  /** While blocks are held, what was sent waits in the mempool until {@link mine} is called. */
  async holdBlocks(held: boolean): Promise<void> {
    await this.rpc('evm_setAutomine', !held);
  }

  async mine(blocks: number): Promise<void> {
    await this.rpc('anvil_mine', `0x${blocks.toString(16)}`);
  }

  /** Shuts the door ahead of everything that waits in the mempool. */
  async shutDoor(): Promise<void> {
    const data = encodeFunctionData({ abi: door.abi, functionName: 'shut' });
    await this.#send({ from: deployer, to: stage.door, data, tip: 50_000_000_000n }, undefined);
  }

  async doorIsShut(): Promise<boolean> {
    const data = encodeFunctionData({ abi: door.abi, functionName: 'isShut' });
    return BigInt(await this.#text('eth_call', { to: stage.door, data }, 'latest')) === 1n;
  }

  /** Takes coins from an address as somebody would who has its key: a transaction that the custodian never made. */
  async steal(from: Address, value: bigint): Promise<void> {
    // The act has no number of its own: that the thief has more than at the beginning tells that it was done.
    if ((await this.coinOf(thief)) > coinAtFirst) return;
    await this.rpc('anvil_impersonateAccount', from);
    await this.#send({ from, to: thief, value }, undefined);
    await this.rpc('anvil_stopImpersonatingAccount', from);
  }

  async coinOf(address: Address): Promise<bigint> {
    return BigInt(await this.#text('eth_getBalance', address, 'latest'));
  }

  /** What an address holds of a token; of the coin where it is the zero address. */
  async held(address: Address, token: Address): Promise<bigint> {
    if (BigInt(token) === 0n) return this.coinOf(address);
    const data = encodeFunctionData({ abi: demoToken.abi, functionName: 'balanceOf', args: [address] });
    return BigInt(await this.ask(token, data));
  }

  async hasCode(address: Address): Promise<boolean> {
    return (await this.#text('eth_getCode', address, 'latest')) !== '0x';
  }

  /** What a contract answers now. */
  async ask(to: Address, data: `0x${string}`): Promise<`0x${string}`> {
    const answer = await this.#text('eth_call', { to, data }, 'latest');
    invariant(isHex(answer), 'The development chain answered something that is no hex.');
    return answer;
  }

  /** Sends a call that needs no rights, as anybody can, and waits until it is in a block. @returns whether it had an effect there */
  async relay(to: Address, data: `0x${string}`): Promise<boolean> {
    const hash = await this.#text('eth_sendTransaction', { from: relayer, to, data, gas: relayGas });
    const deadline = Date.now() + receiptWaitMs;
    for (;;) {
      const receipt = await this.rpc('eth_getTransactionReceipt', hash);
      if (typeof receipt === 'object' && receipt !== null && 'status' in receipt) return receipt.status === '0x1';
      if (Date.now() > deadline) throw new CustodyError('chain/unavailable', 'The development chain mines no blocks.');
      await pause(receiptPauseMs);
    }
  }

  /** What a contract says why it would refuse a call now, in the bytes that it reverts with; undefined where it would not. */
  async refusalOf(to: Address, data: `0x${string}`): Promise<`0x${string}` | undefined> {
    const answer = await this.#answer('eth_call', [{ from: relayer, to, data }, 'latest']);
    if (!('error' in answer)) return undefined;
    const { error } = answer;
    const said: unknown = typeof error === 'object' && error !== null && 'data' in error ? error.data : undefined;
    return isHex(said) ? said : '0x';
  }

  /** Unix seconds of the newest block. */
  async time(): Promise<bigint> {
    const block = await this.rpc('eth_getBlockByNumber', 'latest', false);
    const time = typeof block === 'object' && block !== null && 'timestamp' in block ? block.timestamp : undefined;
    invariant(typeof time === 'string', 'The development chain has a newest block.');
    return BigInt(time);
  }

  /** Keccak-256 of the token's code, as somebody who reviewed it would know it. Hex without prefix. */
  async tokenCodeHash(): Promise<string> {
    const code = await this.#text('eth_getCode', stage.token, 'latest');
    invariant(isHex(code), 'The development chain answered code that is no hex.');
    return keccak256(code).slice(2);
  }

  async tokenOf(address: Address): Promise<bigint> {
    const data = encodeFunctionData({ abi: demoToken.abi, functionName: 'balanceOf', args: [address] });
    return BigInt(await this.#text('eth_call', { to: stage.token, data }, 'latest'));
  }
}

function tokenCall(functionName: 'mint' | 'transfer', to: Address, amount: bigint): `0x${string}` {
  return encodeFunctionData({ abi: demoToken.abi, functionName, args: [to, amount] });
}
