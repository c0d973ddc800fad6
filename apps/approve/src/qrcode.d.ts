declare module 'qrcode' {
  /** Modules of a QR code, row by row; 1 is dark. */
  export type QrCode = { readonly modules: { readonly size: number; readonly data: Uint8Array } };
  /** @throws Error when the text is too long for the largest code */
  export function create(text: string, options: { readonly errorCorrectionLevel: 'L' | 'M' }): QrCode;
}
