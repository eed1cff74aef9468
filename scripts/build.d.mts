/** See build.mjs. */
export function build(options?: { readonly types?: boolean; readonly dist?: string }): Promise<void>;
export function describeFailure(reason: unknown): string;
