import type { Pins } from './examination.ts';

/** What a copy of the page is made for. It is compiled into its script. */
export type PagePins = Pins & {
  /** Host that passkeys belong to (relying party id): the host of the origin, or a domain above it. */
  readonly relyingParty: string;
  /** Where the page is opened, such as `https://approve.example`. Elsewhere it signs nothing. */
  readonly origin: string;
  /** How people call the installation. */
  readonly name: string;
};
