import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './exit-code.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Reads the options of a command.
 *
 * @throws UsageError for an option that it does not have, a value that is missing, or a word too many
 */
export function readOptions<Known extends Options>(
  command: string,
  words: readonly string[],
  options: Known,
): ReturnType<typeof parseArgs<{ args: string[]; options: Known; strict: true; allowPositionals: false }>>['values'] {
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const said = error instanceof Error ? (error.message.split(/\.\s/u)[0] ?? '') : '';
    throw new UsageError(`${said.replace(/\.$/u, '')}. "bulkhead help ${command}" shows what it takes.`);
  }
}

/** @throws UsageError when it was not given */
export function needed(command: string, name: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw new UsageError(`${command} needs --${name}. "bulkhead help ${command}" shows what it takes.`);
}
