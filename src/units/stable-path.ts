/** Where version managers and the like keep one version of a program: an upgrade removes the path. */
const versioned: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\/\.?nvm\/versions\//, 'nvm'],
  [/\/fnm(_multishells|\/node-versions)\//, 'fnm'],
  [/\/\.volta\/tools\//, 'Volta'],
  [/\/\.?asdf\/installs\//, 'asdf'],
  [/\/mise\/installs\//, 'mise'],
  [/\/\.?nodenv\/versions\//, 'nodenv'],
  [/\/n\/versions\//, 'n'],
  [/\/\.?nvs\//, 'nvs'],
  [/\/\.nodebrew\//, 'nodebrew'],
  [/\/\.proto\/tools\//, 'proto'],
  [/\/\.local\/share\/pnpm\/nodejs\//, 'pnpm'],
  [/\/\.pnpm\//, 'pnpm'],
  [/\/_npx\//, 'npx'],
  [/\/Cellar\//, 'Homebrew'],
  [/^\/nix\/store\//, 'Nix'],
  [/^\/snap\/[^/]+\/\d+\//, 'snap'],
];

/** The version manager in whose directory of one version a path lies; null when in none. */
export function versionManagerOf(path: string): string | null {
  return versioned.find(([pattern]) => pattern.test(path))?.[1] ?? null;
}

/**
 * The path of a program that stays through its upgrades.
 * @param path where it lies now, with all links followed
 * @param links other paths, such as those of a search path, that lead to it
 */
export function stablePath(path: string, links: readonly string[]): string {
  if (versionManagerOf(path) === null) return path;
  return links.find((link) => versionManagerOf(link) === null) ?? path;
}
