// Every output of a request, wherever LiveKit's three generations of requests keep them. Pure: hands out the messages themselves.
import type {
  AliOSSUpload,
  AzureBlobUpload,
  DirectFileOutput,
  EncodedFileOutput,
  GCPUpload,
  ImageOutput,
  S3Upload,
  SegmentedFileOutput,
  StorageConfig,
  StreamOutput,
  FileOutput as V2FileOutput,
} from '@livekit/protocol';
import type { StartRequestOneof } from './rpc.ts';

/** v2 keeps the storage beside the output. */
export type FileOutput = EncodedFileOutput | DirectFileOutput | V2FileOutput;
export type Upload = S3Upload | GCPUpload | AzureBlobUpload | AliOSSUpload;

export interface Outputs {
  files: FileOutput[];
  streams: StreamOutput[];
  segments: SegmentedFileOutput[];
  images: ImageOutput[];
  /** A track's raw media to a WebSocket. */
  websocketUrl?: string;
  /** The storage of v2's outputs, and of those that name none. */
  storages: StorageConfig[];
}

type WithSeveral = {
  fileOutputs: EncodedFileOutput[];
  streamOutputs: StreamOutput[];
  segmentOutputs: SegmentedFileOutput[];
  imageOutputs: ImageOutput[];
};
type WithOne = {
  output:
    | { case: 'file'; value: EncodedFileOutput }
    | { case: 'stream'; value: StreamOutput }
    | { case: 'segments'; value: SegmentedFileOutput }
    | { case: undefined };
};

/** Deprecated single outputs included, also where the plural ones beside them win: a change must reach both copies. */
export function allOutputs(request: StartRequestOneof): Outputs {
  switch (request.case) {
    case 'roomComposite':
    case 'web':
    case 'trackComposite':
      return join(several(request.value), one(request.value));
    case 'participant':
      return several(request.value);
    case 'track':
      return ofTrack(request.value);
    case 'egress':
    case 'replay':
      return ofV2(request.value);
    default:
      return none();
  }
}

/** Those that count: of each kind the plural ones, and without any of them the deprecated single one. */
export function effectiveOutputs(request: StartRequestOneof): Outputs {
  switch (request.case) {
    case 'roomComposite':
    case 'web':
    case 'trackComposite': {
      const plural = several(request.value);
      const single = one(request.value);
      return {
        ...plural,
        files: orElse(plural.files, single.files),
        streams: orElse(plural.streams, single.streams),
        segments: orElse(plural.segments, single.segments),
      };
    }
    default:
      return allOutputs(request);
  }
}

/** The inline storages of a request, each a message of its own. */
export function uploadsOf(request: StartRequestOneof): Upload[] {
  const { files, segments, images, storages } = allOutputs(request);
  return [
    ...[...files, ...segments, ...images].flatMap((one) => ('output' in one ? (one.output.value ?? []) : [])),
    ...storages.flatMap(({ provider }) => provider.value ?? []),
  ];
}

function none(): Outputs {
  return { files: [], streams: [], segments: [], images: [], storages: [] };
}

function orElse<T>(first: T[], second: T[]): T[] {
  return first.length > 0 ? first : second;
}

function several(request: WithSeveral): Outputs {
  const { fileOutputs, streamOutputs, segmentOutputs, imageOutputs } = request;
  return { files: fileOutputs, streams: streamOutputs, segments: segmentOutputs, images: imageOutputs, storages: [] };
}

function one({ output }: WithOne): Outputs {
  switch (output.case) {
    case 'file':
      return { ...none(), files: [output.value] };
    case 'stream':
      return { ...none(), streams: [output.value] };
    case 'segments':
      return { ...none(), segments: [output.value] };
    default:
      return none();
  }
}

function join(a: Outputs, b: Outputs): Outputs {
  return {
    files: [...a.files, ...b.files],
    streams: [...a.streams, ...b.streams],
    segments: [...a.segments, ...b.segments],
    images: [...a.images, ...b.images],
    storages: [...a.storages, ...b.storages],
  };
}

function ofTrack({ output }: Extract<StartRequestOneof, { case: 'track' }>['value']): Outputs {
  if (output.case === 'file') return { ...none(), files: [output.value] };
  return output.case === 'websocketUrl' ? { ...none(), websocketUrl: output.value } : none();
}

function ofV2(request: Extract<StartRequestOneof, { case: 'egress' | 'replay' }>['value']): Outputs {
  const found = none();
  if (request.storage) found.storages.push(request.storage);
  for (const { config, storage } of request.outputs) {
    if (storage) found.storages.push(storage);
    if (config.case === 'file') found.files.push(config.value);
    if (config.case === 'stream') found.streams.push(config.value);
    if (config.case === 'segments') found.segments.push(config.value);
    if (config.case === 'images') found.images.push(config.value);
  }
  return found;
}
