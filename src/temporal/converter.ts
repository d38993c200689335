// How everything on its way to Temporal is written and read: the SDK's own converters, failures with hidden messages, and the
// encrypting codec. Clients take the objects, workers take paths: the SDK loads those again inside the workflow sandbox.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type DataConverter, defaultPayloadConverter, type LoadedDataConverter } from '@temporalio/common';
import { failureConverter } from '../workflows/failure-converter.ts';
import { createPayloadCodec, type PayloadKeys } from './codec.ts';

export function clientDataConverter(keys: PayloadKeys): LoadedDataConverter {
  return { payloadConverter: defaultPayloadConverter, failureConverter, payloadCodecs: [createPayloadCodec(keys)] };
}

export function workerDataConverter(keys: PayloadKeys): DataConverter {
  return { failureConverterPath: failureConverterPath(), payloadCodecs: [createPayloadCodec(keys)] };
}

/** The same code runs from the sources and compiled. */
export function failureConverterPath(): string {
  const source = fileURLToPath(new URL('../workflows/failure-converter.ts', import.meta.url));
  return existsSync(source) ? source : source.replace(/\.ts$/, '.js');
}
