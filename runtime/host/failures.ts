/**
 * Why there is no device, and what mends it. The driver's reasons only reach standard error as text, so they are matched there; the patterns were taken
 * from runs in each situation.
 */
export interface Cause {
  /** A sentence: what was found. */
  readonly found: string;
  /** What to do about it, with the exact command. */
  readonly fix: string;
}

/** Commands that install Mesa's software driver on this system. */
export function installLavapipe(osRelease: string): string {
  if (/^ID=debian$/m.test(osRelease) && /^VERSION_ID="?12/m.test(osRelease))
    return 'as root: apt-get install -y -t bookworm-backports mesa-vulkan-drivers libvulkan1 (with bookworm-backports among the sources)';
  if (/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(osRelease))
    return 'as root: apt-get install -y mesa-vulkan-drivers libvulkan1';
  if (/^ID(_LIKE)?=.*(fedora|rhel)/m.test(osRelease))
    return 'as root: dnf install -y mesa-vulkan-drivers vulkan-loader';
  if (/^ID(_LIKE)?=.*arch/m.test(osRelease)) return 'as root: pacman -S vulkan-swrast vulkan-icd-loader';
  if (/^ID=.*alpine/m.test(osRelease))
    return 'Alpine has no glibc, which the webgpu package needs: use a Debian-based image';
  return "install Mesa's Vulkan drivers (23 or newer) with the system's package manager";
}

/** Explains what the driver search wrote. */
export function explainStderr(text: string, install: string): Cause {
  const library = /(\S+\.so[.\d]*): cannot open shared object file/.exec(text)?.[1];
  if (/Couldn't load Vulkan/.test(text) && (!library || library.startsWith('libvulkan.so')))
    return { found: 'no Vulkan loader is installed (libvulkan.so.1)', fix: install };
  if (/shaderUniform\w*ArrayDynamicIndexing required|Vulkan .* required/.test(text))
    return { found: 'the Mesa driver is too old (23 or newer is needed)', fix: install };
  if (/Failed to open JSON file/.test(text))
    return {
      found: 'VK_DRIVER_FILES or VK_ICD_FILENAMES names a file that does not exist',
      fix: 'unset VK_DRIVER_FILES and VK_ICD_FILENAMES, or correct them',
    };
  if (library)
    return {
      found: `a Vulkan driver is installed, but its dependency ${library} is missing`,
      fix: `reinstall it; ${install}`,
    };
  if (/Found no drivers|ERROR_INCOMPATIBLE_DRIVER/.test(text))
    return { found: 'the Vulkan loader is installed, but no driver', fix: install };
  return { found: 'no adapter was offered', fix: install };
}

/** Explains why the webgpu package itself could not be loaded. */
export function explainImport(message: string): Cause {
  const version = /version [`']?(GLIBC\w*_[\d.]+)/.exec(message)?.[1];
  if (version)
    return {
      found: `the webgpu package needs a newer system (${version} is missing)`,
      fix: 'use Debian 12, Ubuntu 22.04 or newer, or run with --device reference',
    };
  if (/Cannot find (package|module)|ERR_MODULE_NOT_FOUND/.test(message))
    return { found: 'the npm package webgpu is not installed, or has no build for this platform', fix: 'run: npm ci' };
  return { found: `the webgpu package could not be loaded: ${message.split('\n')[0]}`, fix: 'run: npm ci' };
}
