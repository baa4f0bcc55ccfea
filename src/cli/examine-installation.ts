/** Which installation this is, and what others have below the same root. */
import { UNNAMED } from '../kernel/installation.ts';
import { MAX_DIRECTORIES, type KernelReader } from '../kernel/reader.ts';
import { LABEL_XATTR } from '../resources/label.ts';
import { isOfInstallation, labelOn } from '../resources/ownership.ts';
import type { Finding } from './examine.ts';

export function installationFindings(reader: KernelReader): Finding[] {
  const { installation, settings } = reader;
  const isTold = settings.installation !== null;
  const isUnnamed = !isTold && (installation === UNNAMED || installation.startsWith(`${UNNAMED}:`));
  const own: Finding = {
    what: 'installation',
    status: isUnnamed ? 'limited' : 'ok',
    detail: `${installation}, ${isTold ? 'as TSBOX_INSTALLATION says' : isUnnamed ? 'since there is no /etc/machine-id' : 'from /etc/machine-id'}`,
    essential: false,
    ...(isUnnamed ? { remedy: 'set TSBOX_INSTALLATION where another tsbox sees the same cgroups' } : {}),
  };
  const others = [...foreignObjects(reader)].map(([name, count]): Finding => ({
    what: `installation ${name}`,
    status: 'limited',
    detail: `has ${count} ${count === 1 ? 'cgroup' : 'cgroups'} below ${settings.cgroupRoot}, too`,
    essential: false,
    remedy: 'its stacks are refused here (TSB3007); give one of the two another TSBOX_CGROUP_ROOT',
  }));
  return [own, ...others];
}

/** Labelled cgroups below our root by the installation that is not this one. */
function foreignObjects(reader: KernelReader): Map<string, number> {
  const root = `${reader.layout.primary?.mount ?? ''}${reader.settings.cgroupRoot}`;
  const walked = reader.walkDirs(root, MAX_DIRECTORIES);
  const entries = Array.isArray(walked) ? walked : [];
  const paths = entries.map(({ path }) => (path === '' ? root : `${root}/${path}`));
  const count = new Map<string, number>();
  reader.getXattrs(paths, LABEL_XATTR).forEach((text, i) => {
    const label = labelOn(text, entries[i]?.ino ?? 0);
    if (label?.installation !== undefined && !isOfInstallation(label, reader.installation)) {
      count.set(label.installation, (count.get(label.installation) ?? 0) + 1);
    }
  });
  return count;
}
