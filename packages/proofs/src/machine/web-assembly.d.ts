// The part of WebAssembly that the machine uses. It is the same in node and in every browser; the compiler's list of globals
// of the language does not have it, and the one of a browser brings much that a pure package must not see.

declare namespace WebAssembly {
  interface Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module';
  }
  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  const Module: { new (bytes: Uint8Array<ArrayBuffer>): Module };
  const Instance: { new (module: Module, imports?: object): Instance };
  const Memory: { new (limits: { readonly initial: number }): Memory };
}
