import { readFileSync } from 'node:fs';
import { openSignerCore } from '../core/index.ts';
import { coreLimitsOf, listenLimitsOf, type SignerConfiguration } from './configuration.ts';
import type { Served } from './dispatch.ts';
import type { Hardening } from './hardening.ts';
import { openKeys } from './keys.ts';
import { listenLimits, stopMsMax } from './limits.ts';
import { type Listener, listen, type Listening } from './listener.ts';
import { logLine } from './log.ts';
import { nativeHashes } from './native-hashes.ts';
import { readSecret } from './secret-file.ts';

export type SignerProcess = {
  /** Where it listens, as clients write it. */
  readonly places: readonly string[];
  /** Ends the work at hand, then the state, then the keys. */
  stop(): Promise<void>;
};

/**
 * Opens keys, state and sockets, in this order: nobody is answered before the log was replayed and the heads were compared.
 *
 * @throws CustodyError of whatever could not be opened; what was opened before is closed again
 */
export async function openSignerProcess(
  configuration: SignerConfiguration,
  hardening: Hardening,
): Promise<SignerProcess> {
  await using opened = new AsyncDisposableStack();
  const keys = opened.use(await openKeys(configuration));
  const core = opened.use(
    await openSignerCore({
      stateDirectory: configuration.state,
      drivers: keys.drivers,
      identities: keys.identities,
      ...(keys.logKey === undefined ? {} : { logKey: keys.logKey }),
      heads: keys.heads,
      hashes: nativeHashes(),
      clock: { now: () => new Date() },
      acceptLongStandstill: configuration.acceptLongStandstill,
      limits: coreLimitsOf(configuration),
    }),
  );
  logLine('info', 'replayed', { ...core.replay, mode: core.mode() });
  const listener = await listen(listening(configuration, withProcess(core, hardening)));
  const rest = opened.move();
  return {
    places: placesOf(configuration, listener),
    async stop() {
      await listener.stop(stopMsMax);
      await rest.disposeAsync();
    },
  };
}

/** The signer's own status, and one line about the process it runs in. */
function withProcess(core: Served, { detail, kernel }: Hardening): Served {
  return {
    ...bound(core),
    status: async () => {
      const status = await core.status();
      const line = { name: 'process', healthy: kernel === 'linux', detail };
      return { ...status, slots: [...status.slots, line] };
    },
  };
}

function bound(core: Served): Served {
  return {
    status: () => core.status(),
    account: (compartment) => core.account(compartment),
    wallet: (key) => core.wallet(key),
    certifyAddress: (claim) => core.certifyAddress(claim),
    outlook: (intent, evidence) => core.outlook(intent, evidence),
    lodge: (intent, approval) => core.lodge(intent, approval),
    sign: (request) => core.sign(request),
    signVault: (request) => core.signVault(request),
    certifyVault: (claim) => core.certifyVault(claim),
    certifyForwarder: (claim) => core.certifyForwarder(claim),
    signReserves: (request) => core.signReserves(request),
    signControl: (request) => core.signControl(request),
    signCheckpoint: (request) => core.signCheckpoint(request),
    logKey: () => core.logKey(),
    change: (change) => core.change(change),
    records: (after, limit) => core.records(after, limit),
  };
}

function listening(configuration: SignerConfiguration, signer: Served): Listening {
  const { socket, tls } = configuration;
  const own = process.getuid?.();
  return {
    ...(socket === undefined
      ? {}
      : {
          unix: {
            path: socket.path,
            mode: socket.mode === '0660' ? 0o660 : 0o600,
            users: socket.users ?? (own === undefined ? [] : [own]),
          },
        }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            host: tls.host,
            port: tls.port,
            certificate: readFileSync(tls.certificateFile),
            key: Buffer.from(readSecret(tls.keyFile)),
            authority: readFileSync(tls.authorityFile),
            clientKeys: tls.clientKeys,
          },
        }),
    signer,
    limits: { ...listenLimits, ...listenLimitsOf(configuration) },
    log: logLine,
  };
}

function placesOf({ socket, tls }: SignerConfiguration, { tlsPort }: Listener): readonly string[] {
  return [
    ...(socket === undefined ? [] : [`unix:${socket.path}`]),
    ...(tls === undefined ? [] : [`tls://${tls.host}:${tlsPort ?? tls.port}`]),
  ];
}
