/**
 * Installs Mesa's lavapipe where that is possible and useful: on Linux, as root, with apt, and no Vulkan driver that Dawn accepts (Mesa 23 or newer; Debian 12
 * has 22.3 in its main archive, so there it comes from backports). Never fatal: without it, SwiftShader from the npm packages is used.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const packages = ['mesa-vulkan-drivers', 'libvulkan1'];
/** After a failure apt is left alone for this long. */
const patienceMs = 24 * 3600 * 1000;

export function installDriver({ say, stamped, setStamp }) {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || process.env.SADDLE_NO_APT === '1') return;
  if (hasUsableDriver() || !existsSync('/usr/bin/apt-get')) return;
  if (Date.now() - Number(stamped('apt-failed') ?? 0) < patienceMs) return;
  say('installing a software Vulkan driver (Mesa lavapipe) with apt; SADDLE_NO_APT=1 skips this ...');
  const problem = install();
  if (problem === undefined) return;
  setStamp('apt-failed', String(Date.now()));
  say(
    `the driver could not be installed (${problem}); SwiftShader from the npm packages will be used, which is slower`,
  );
}

/** A loader, and a driver that is not a Mesa older than 23. */
function hasUsableDriver() {
  if (process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES) return true; // somebody has chosen
  const libraries = ['/usr/lib', '/usr/lib64', '/usr/local/lib', `/usr/lib/${triplet()}`];
  const loader = libraries.some((folder) => existsSync(join(folder, 'libvulkan.so.1')));
  const manifests = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'].flatMap(
    (folder) => (existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : []),
  );
  if (!loader || manifests.length === 0) return false;
  const mesa = spawnSync('dpkg-query', ['-W', '-f=${Version}', 'mesa-vulkan-drivers'], { encoding: 'utf8' });
  const major = mesa.status === 0 ? parseInt(mesa.stdout, 10) : NaN;
  return !(major < 23);
}

function triplet() {
  return process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
}

/** Runs apt; undefined where it has worked, else why not. */
function install() {
  const folder = mkdtempSync(join(tmpdir(), 'saddle-apt-'));
  try {
    const backports = debianBackports(folder);
    const apt = (args) =>
      spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=60', ...backports.options, ...args], {
        encoding: 'utf8',
        timeout: 300000,
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...backports.target, ...packages]]) {
      const result = apt(args);
      if (result.error)
        return result.error.code === 'ETIMEDOUT' ? 'apt took longer than 5 minutes' : result.error.message;
      if (result.status !== 0) return lastLine(result.stderr) ?? `apt-get ${args[0]} failed`;
    }
    return hasUsableDriver() ? undefined : 'the driver of this system is too old';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function lastLine(text) {
  return text?.trim().split('\n').filter(Boolean).pop();
}

/**
 * On Debian 12, options that add bookworm-backports for these calls only: the system's own lists stay as they are. The mirror is that of the lists.
 */
function debianBackports(folder) {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID=debian$/m.test(release) || !/^VERSION_ID="?12/m.test(release)) return { options: [], target: [] };
  const parts = '/etc/apt/sources.list.d';
  let lists = existsSync('/etc/apt/sources.list') ? readFileSync('/etc/apt/sources.list', 'utf8') : '';
  for (const name of existsSync(parts) ? readdirSync(parts) : []) {
    copyFileSync(join(parts, name), join(folder, name));
    lists += `\n${readFileSync(join(parts, name), 'utf8')}`;
  }
  const target = ['-t', 'bookworm-backports'];
  if (/bookworm-backports/.test(lists)) return { options: [], target };
  const mirror =
    /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+bookworm\s/m.exec(lists)?.[1] ??
    /^URIs:\s*(\S*debian\/?)\s*$/m.exec(lists)?.[1] ??
    'http://deb.debian.org/debian';
  const options =
    /^deb\s+(\[[^\]]*\])\s+\S+\s+bookworm\s/m.exec(lists)?.[1] ??
    '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
  writeFileSync(join(folder, 'saddle-backports.list'), `deb ${options} ${mirror} bookworm-backports main\n`);
  return { options: ['-o', `Dir::Etc::SourceParts=${folder}`], target };
}
