// Which kind of file the ending of a path asks for, and whether that can be had. Pure. A worker that is asked for no kind chooses one
// by what it records, and writes its own ending over the one in the path (livekit/egress pkg/config/output_file.go).

export const FILE_TYPES = ['mp4', 'ogg', 'mp3'] as const;
export type FileType = (typeof FILE_TYPES)[number];

/** Endings that say what is in a file; every other one is part of its name. */
const ENDINGS = new Set([
  ...FILE_TYPES,
  ...[
    '3gp',
    'aac',
    'aif',
    'aiff',
    'avi',
    'flac',
    'flv',
    'gif',
    'ivf',
    'jpeg',
    'jpg',
    'm3u8',
    'm4a',
    'm4v',
    'mka',
    'mkv',
  ],
  ...['mov', 'mpeg', 'mpg', 'oga', 'ogv', 'opus', 'png', 'raw', 'ts', 'wav', 'weba', 'webm', 'wma', 'wmv'],
]);
const SOUND_ONLY: readonly FileType[] = ['ogg', 'mp3'];

/** As it was written, without its dot; undefined: the path asks for no kind. */
export function endingOf(path: string): string | undefined {
  const ending = /\.([A-Za-z0-9]{1,5})$/.exec(path)?.[1];
  return ending !== undefined && ENDINGS.has(ending.toLowerCase()) ? ending : undefined;
}

export function fileTypeOf(path: string): FileType | undefined {
  const ending = endingOf(path);
  return FILE_TYPES.find((type) => type === ending);
}

/** What the file is made of. */
export interface FileContent {
  /** `copied`: one track as it is, whose codec is known once a worker has joined. */
  kind: 'encoded' | 'copied';
  hasPicture: boolean;
  /** Segments or a stream are made of the same sound. */
  isShared: boolean;
}

/** @returns what is wrong with the ending and what to write instead, or undefined when the file can be had */
export function endingProblem(path: string, { kind, hasPicture, isShared }: FileContent): string | undefined {
  const ending = endingOf(path);
  if (ending === undefined) return undefined;
  const type = fileTypeOf(path);
  if (kind === 'copied')
    return type === 'ogg' && !hasPicture
      ? undefined
      : `".${ending}" names a kind of file, and a single track is copied as it is: its codec decides; leave the ending out`;
  if (!type)
    return `".${ending}" is no kind of file that LiveKit records; use ${known(hasPicture)}, or leave the ending out`;
  if (!SOUND_ONLY.includes(type)) return undefined;
  if (hasPicture) return `".${type}" takes sound only, and there is a picture; use .mp4, or record with audioOnly`;
  return isShared
    ? `".${type}" does not take the AAC that segments and streams of the same recording need; use .mp4, or ask for them in a recording of their own`
    : undefined;
}

function known(hasPicture: boolean): string {
  return hasPicture ? '.mp4' : '.mp4, .ogg or .mp3';
}
