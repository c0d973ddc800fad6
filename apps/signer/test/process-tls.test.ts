import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, type ConnectionOptions } from 'node:tls';
import { frameOf, keyDigest, SignerClient } from '@bulkhead/signer-client';
import { deployment, prepareStage } from './process-stage.ts';

function openssl(folder: string, ...options: readonly string[]): void {
  execFileSync('openssl', options, { cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] });
}

/** The commands of docs/operations/signer.md. */
function makeAuthority(folder: string, name: string): void {
  openssl(folder, 'genpkey', '-algorithm', 'ed25519', '-out', `${name}.key`);
  openssl(
    folder,
    'req',
    '-x509',
    '-new',
    '-key',
    `${name}.key`,
    '-subj',
    `/CN=${name}`,
    '-days',
    '2',
    '-out',
    `${name}.pem`,
  );
}

function makeCertificate(folder: string, name: string, authority: string): void {
  openssl(folder, 'genpkey', '-algorithm', 'ed25519', '-out', `${name}.key`);
  chmodSync(join(folder, `${name}.key`), 0o400);
  openssl(folder, 'req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
  writeFileSync(join(folder, `${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signing = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-days', '2'];
  openssl(folder, 'x509', '-req', '-in', `${name}.csr`, ...signing, '-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

const fingerprintCommand =
  'openssl x509 -in server.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -r';

/** What a request of a client with these certificates comes to: an answer, or nothing. */
function attempt(port: number, options: ConnectionOptions): Promise<'answered' | 'refused'> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    socket.on('secureConnect', () => socket.write(frameOf('{"v":1,"id":"1","method":"status","params":{}}')));
    socket.on('data', () => {
      done('answered');
      socket.destroy();
    });
    socket.on('error', () => done('refused'));
    socket.on('close', () => done('refused'));
  });
}

test('over a network it answers only clients of its authority, by TLS 1.3, and only clients that know it', async () => {
  await using stage = await prepareStage();
  const folder = stage.directory;
  const pem = (name: string): Buffer => readFileSync(join(folder, name));
  const keyOf = (name: string): string => keyDigest(new X509Certificate(pem(`${name}.pem`))) ?? '';
  for (const authority of ['authority', 'stranger']) makeAuthority(folder, authority);
  makeCertificate(folder, 'signer', 'authority');
  makeCertificate(folder, 'server', 'authority');
  makeCertificate(folder, 'colleague', 'authority');
  makeCertificate(folder, 'intruder', 'stranger');
  // The command of docs/operations/signer.md says the same.
  const said = execFileSync('sh', ['-c', fingerprintCommand], { cwd: folder, encoding: 'utf8' });
  assert.equal(
    said.split(/\s+/u).find((word) => /^[0-9a-f]{64}$/u.test(word)),
    keyOf('server'),
  );
  const running = await stage.start({
    tls: {
      host: '127.0.0.1',
      port: 0,
      certificateFile: join(folder, 'signer.pem'),
      keyFile: join(folder, 'signer.key'),
      authorityFile: join(folder, 'authority.pem'),
      clientKeys: [keyOf('server')],
    },
  });
  const endpoint = running.endpoints.find((each) => each.startsWith('tls:')) ?? '';
  const port = Number(endpoint.split(':').at(-1));
  const good = {
    certificate: pem('server.pem'),
    key: pem('server.key'),
    authority: pem('authority.pem'),
    signerKeys: [keyOf('signer')],
  };
  await using client = new SignerClient({ endpoint, credentials: good });
  assert.equal((await client.status()).deployment, deployment);

  const own = { cert: good.certificate, key: good.key };
  assert.equal(await attempt(port, own), 'answered');
  const colleague = { cert: pem('colleague.pem'), key: pem('colleague.key') };
  assert.equal(await attempt(port, colleague), 'refused', 'of the same authority, and not the pinned client');
  assert.equal(await attempt(port, {}), 'refused');
  assert.equal(await attempt(port, { cert: pem('intruder.pem'), key: pem('intruder.key') }), 'refused');
  assert.equal(await attempt(port, { ...own, maxVersion: 'TLSv1.2' }), 'refused');
  // In the clear there is nobody.
  const clear = connectSocket({ host: '127.0.0.1', port });
  const clearly = await new Promise<string>((done) => {
    clear.on('data', (bytes) => done(bytes.toString('latin1')));
    clear.on('close', () => done(''));
    clear.on('error', () => done(''));
    clear.write(frameOf('{"v":1,"id":"1","method":"status","params":{}}'));
  });
  assert.ok(!clearly.includes(deployment));

  await using deceived = new SignerClient({ endpoint, credentials: { ...good, authority: pem('stranger.pem') } });
  await assert.rejects(deceived.status(), { code: 'signer/unavailable' });
  await using misled = new SignerClient({ endpoint, credentials: { ...good, signerKeys: [keyOf('colleague')] } });
  await assert.rejects(misled.status(), { code: 'signer/unavailable' });
  assert.match(
    readFileSync(running.logFile, 'utf8'),
    new RegExp(`"client-refused".*"key":"${keyOf('colleague')}"`, 'u'),
  );
  await using bare = new SignerClient({ endpoint });
  await assert.rejects(bare.status(), { code: 'config/invalid' });
  // The socket goes on, whatever happens at the port.
  await using local = new SignerClient({ endpoint: running.endpoint });
  assert.equal((await local.status()).deployment, deployment);
});
