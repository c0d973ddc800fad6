import { createHash, X509Certificate } from 'node:crypto';
import { connect as connectSocket, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type PeerCertificate } from 'node:tls';
import { CustodyError } from '@bulkhead/domain';

/** What mutual TLS needs: our certificate and key, and the one authority whose signature on the signer's certificate counts. PEM. */
export type ClientCredentials = {
  readonly certificate: string | Buffer;
  readonly key: string | Buffer;
  readonly authority: string | Buffer;
  /** Which signers may answer, by {@link keyDigest}: the authority signs for clients, too, and none of them may pass for the signer. */
  readonly signerKeys: readonly string[];
};

/** SHA-256 of a certificate's public key (SubjectPublicKeyInfo, DER), hex: it stays when the certificate is renewed. */
export function keyDigest(certificate: X509Certificate | undefined): string | undefined {
  if (certificate === undefined) return undefined;
  return createHash('sha256')
    .update(certificate.publicKey.export({ format: 'der', type: 'spki' }))
    .digest('hex');
}

export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number };

/**
 * Reads `unix:/path` or `tls://host:port`. There is no form without encryption over a network.
 *
 * @throws CustodyError `config/invalid`
 */
export function parseEndpoint(text: string): Endpoint {
  const path = /^unix:(?<path>\/.{1,100})$/u.exec(text)?.groups?.['path'];
  if (path !== undefined) return { kind: 'unix', path };
  const groups = /^tls:\/\/(?:\[(?<six>[0-9a-f:]+)\]|(?<name>[0-9a-zA-Z.-]{1,253})):(?<port>[0-9]{1,5})$/u.exec(
    text,
  )?.groups;
  const host = groups?.['six'] ?? groups?.['name'];
  const port = Number(groups?.['port'] ?? 0);
  if (host !== undefined && port > 0 && port < 65_536) return { kind: 'tls', host, port };
  throw new CustodyError(
    'config/invalid',
    `"${text.slice(0, 200)}" is no place of a signer: write unix:/path/of/its.sock or tls://host:port.`,
  );
}

/** A socket that is on its way; `ready` names the event that says that it has arrived. */
export type Dialled = { readonly socket: Socket; readonly ready: 'connect' | 'secureConnect' };

/** @throws CustodyError `config/invalid` where mutual TLS has no credentials */
export function dial(endpoint: Endpoint, credentials: ClientCredentials | undefined): Dialled {
  if (endpoint.kind === 'unix') return { socket: connectSocket({ path: endpoint.path }), ready: 'connect' };
  if (credentials === undefined) {
    throw new CustodyError(
      'config/invalid',
      `The signer at tls://${endpoint.host}:${endpoint.port} wants a client certificate: give certificate, key and authority.`,
    );
  }
  const { certificate, key, authority, signerKeys } = credentials;
  const { host, port } = endpoint;
  const identified = (name: string, peer: PeerCertificate): Error | undefined => {
    const digest = keyDigest(new X509Certificate(peer.raw));
    const known = digest !== undefined && signerKeys.includes(digest);
    return known
      ? checkServerIdentity(name, peer)
      : new Error(`The public key ${digest ?? ''} is not of a pinned signer.`);
  };
  // Only this authority, not those of the system; the host must be the one that its certificate names, and the key a pinned one.
  const socket = connectTls({
    host,
    port,
    cert: certificate,
    key,
    ca: authority,
    minVersion: 'TLSv1.3',
    checkServerIdentity: identified,
  });
  return { socket, ready: 'secureConnect' };
}
