/** Caps on what a data file may ask of us. A file beyond one is refused before memory is reserved for it. */

/** Largest content that is held in memory at once, decompressed or not, in bytes. */
export const MAX_BYTES = 2 ** 31;
/** Largest file that is read by rows. */
export const MAX_FILE_BYTES = 2 ** 44;
/** Fields beyond this many bytes are read by rows where their format allows it. */
export const MAX_HELD_BYTES = 2 ** 29;
/** Largest ratio of decompressed to compressed size; DEFLATE itself cannot exceed about 1032. */
export const MAX_RATIO = 200;
/** Content below this many bytes may be compressed at any ratio: small constant arrays compress extremely well. */
export const RATIO_FREE_BYTES = 2 ** 20;
/** Entries of an archive, and tensors of a safetensors file. */
export const MAX_ENTRIES = 10_000;
/** Header of a safetensors file, in bytes (the format's own cap). */
export const MAX_SAFETENSORS_HEADER = 100_000_000;
/** Header of an npy array, in bytes (numpy refuses to evaluate longer ones too). */
export const MAX_NPY_HEADER = 65_536;
/** Axes of an array. */
export const MAX_AXES = 16;
/** Columns of a table, and characters of one of its lines. */
export const MAX_COLUMNS = 100_000;
export const MAX_CSV_LINE = 2 ** 24;
/** The `model.json` of a set of weights. */
export const MAX_MODEL_JSON = 2 ** 26;
/** Footer of a parquet file, in bytes. */
export const MAX_TABLE_FOOTER = 2 ** 26;
/** Images or texts of a folder, side of an image, and bytes of an image's file. */
export const MAX_IMAGES = 200_000;
export const MAX_SIDE = 16_384;
export const MAX_IMAGE_BYTES = 2 ** 26;
/** A text, which is held as one string. */
export const MAX_TEXT_BYTES = 2 ** 28;
/** The file of a vocabulary. */
export const MAX_VOCABULARY_BYTES = 2 ** 26;
