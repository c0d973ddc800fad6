import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { parseAddress } from '@bulkhead/domain';
import { startSigner } from '@bulkhead/signer/launch';
import { keyDigest } from '@bulkhead/signer-client';
import type { Configuration } from '../src/config.ts';
import { signerFile } from '../src/development/signer-file.ts';
import { developmentTokens } from '../src/development-secrets.ts';
import { openLog } from '../src/log.ts';
import { openSigner } from '../src/signer.ts';
import { startServer } from '../src/wire.ts';
import {
  admit,
  approve,
  chain,
  coin,
  deposit,
  Desk,
  enrol,
  ether,
  firstOf,
  onChain,
  openHouse,
  peopleDirectory,
  settled,
} from './house.ts';

const outside = parseAddress(`0x${'0e'.repeat(20)}`);

/** An authority and what it vouches for, by the commands of docs/operations/signer.md. */
function certificates(folder: string, ...names: readonly string[]): void {
  mkdirSync(folder);
  const openssl = (...words: readonly string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' });
  };
  const key = (name: string): void => {
    openssl('genpkey', '-algorithm', 'ed25519', '-out', `${name}.key`);
    chmodSync(join(folder, `${name}.key`), 0o400);
  };
  key('authority');
  openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    'authority.key',
    '-subj',
    '/CN=authority',
    '-days',
    '2',
    '-out',
    'authority.pem',
  );
  for (const name of names) {
    key(name);
    openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    writeFileSync(join(folder, `${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    const signing = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  }
}

test('a server whose signer is behind mutual TLS issues, pays and proves as beside a socket, and believes no other signer there', async () => {
  await using house = await openHouse();
  const { configuration, server } = house;
  const client = await admit(house.desk, 'C-tls');
  await enrol(house.desk, client, outside);
  await deposit(house, client, 2n * coin);
  const { deployment, identities } = server.reached.pinned;
  await server.stop();

  const folder = join(configuration.dataDirectory, 'tls');
  certificates(folder, 'signer', 'server', 'colleague');
  const at = (name: string): string => join(folder, name);
  const keyOf = (name: string): string => keyDigest(new X509Certificate(readFileSync(at(`${name}.pem`)))) ?? '';
  assert.ok(configuration.signer.kind === 'development');
  const { directory } = configuration.signer;
  const made: { readonly keys: 'softhsm' | 'software' } = JSON.parse(
    readFileSync(join(directory, 'development.json'), 'utf8'),
  );
  const { socket: _local, ...file } = signerFile(directory, { keys: made.keys, socket: '/nowhere', hasLog: true });
  const signer = await startSigner({
    directory,
    configuration: {
      ...file,
      tls: {
        host: '127.0.0.1',
        port: 0,
        certificateFile: at('signer.pem'),
        keyFile: at('signer.key'),
        authorityFile: at('authority.pem'),
        clientKeys: [keyOf('server')],
      },
    },
  });
  await using parts = new AsyncDisposableStack();
  parts.defer(() => signer.stop());
  const reachedBy = (signerKey: string): Configuration => {
    const tls = {
      authorityFile: at('authority.pem'),
      certificateFile: at('server.pem'),
      keyFile: at('server.key'),
      signerKeys: [signerKey],
    };
    const external = { endpoint: signer.endpoint, tls, deployment, identities, vaultSigners: [] };
    return { ...configuration, signer: { kind: 'external', ...external } };
  };

  {
    const said: string[] = [];
    const order = { log: openLog('error'), onPart: ({ what }: { readonly what: string }) => said.push(what) };
    await using running = await startServer(reachedBy(keyOf('signer')), order);
    assert.match(said.join('\n'), /^Signer, keys: (?:hsm-sealed|software), registry version 2$/mu);
    const tokens = new Map(developmentTokens(configuration).map(({ name, token }) => [name, token]));
    const desk = new Desk(running.url, tokens, peopleDirectory(configuration.dataDirectory));
    const body = { clientId: client.id, asset: ether, amount: String(coin), destination: outside };
    const { id } = await desk.post('/v1/withdrawals', body, 'operator');
    await approve(desk, id);
    await settled(desk, id);
    const node = openDevelopmentNode(running.chains.get(chain)?.embeddedUrl ?? '');
    assert.equal(await onChain(node, outside), coin);
    // A compartment whose key was never certified before, and a certificate of an address of it.
    const other = await admit(desk, 'C-tls-2');
    assert.notEqual(other.compartment, client.compartment);
    const { items } = await desk.get(`/v1/clients/${other.id}/wallets`);
    await desk.post(`/v1/clients/${other.id}/wallets`, { chain }, 'operator');
    await enrol(desk, other);
    await desk.post(`/v1/wallets/${firstOf(items).id}/certificate`, undefined, 'operator');
  }

  // Of the same authority, and not the signer that was pinned: nothing is sent to it.
  await using misled = await openSigner(reachedBy(keyOf('colleague')));
  await assert.rejects(misled.signer.status(), { code: 'signer/unavailable' });
});
