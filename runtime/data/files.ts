/**
 * What reading data needs of its host. The formats see `ByteSource` alone; where a path may lead is decided by the host
 * (`node-files.ts`), never by the formats. Nothing here opens a network connection.
 */

/** A file opened for reading. */
export interface ByteSource {
  /** As named in messages. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Reading any part reads and keeps the whole (a compressed file). */
  readonly whole?: boolean;
  /** Exactly `length` bytes from `offset`, or all to the end of the file where it is shorter. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
  /** A file in the same folder or below it, by its relative path: formats of several files. Throws as `DataHost.open` does. */
  sibling?(path: string): Promise<ByteSource>;
}

export interface Photograph {
  readonly width: number;
  readonly height: number;
  /** Four bytes a pixel: red, green, blue, alpha. */
  readonly rgba: Uint8Array;
}

/** A file of a folder. */
export interface FolderFile {
  /** Below the folder: `name`, or `subfolder/name`. */
  readonly path: string;
  open(): Promise<ByteSource>;
}

export interface DataHost {
  /**
   * Opens a data file named in a `.opt` file (a relative path below the spec's folder or the working directory) or, with `trusted`,
   * one that the user gave on the command line. Throws SaddleError OPT601 (missing), OPT602 (path refused), OPT615 (unreadable).
   */
  open(path: string, trusted: boolean): Promise<ByteSource>;
  /** A file of an installed npm package, or undefined where the package or the file is not there. */
  openPackaged(packageName: string, path: string): Promise<ByteSource | undefined>;
  /** A file that the project itself carries (under `examples/data/`), or undefined. */
  openOwn(path: string): Promise<ByteSource | undefined>;
  /**
   * The files of a folder and of its subfolders (one level), or undefined where the path leads to none (a file, or nothing). Paths are judged as by `open`;
   * so is each file when it is opened. Throws OPT602, OPT607 (more than `most` files), OPT615.
   */
  list(path: string, trusted: boolean, most: number): Promise<readonly FolderFile[] | undefined>;
  /** Decodes a JPEG, or undefined where no decoder is installed. Throws plain errors for damaged bytes. */
  decodeJpeg(bytes: Uint8Array): Promise<Photograph | undefined>;
  /** A file of the cache, or undefined; never throws, a cache that cannot be read is an empty one. */
  openCached(name: string): Promise<ByteSource | undefined>;
  /** Stores a file in the cache atomically (a reader sees all or nothing); does nothing where the cache cannot be written. */
  writeCached(name: string, bytes: Uint8Array): Promise<void>;
}

/** All bytes of a source. The caller has checked its size. */
export function readAll(file: ByteSource): Promise<Uint8Array> {
  return file.read(0, file.size);
}

/** A byte source over memory. */
export function memoryFile(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => {},
  };
}
