/** The version, put in by the bundler from package.json. */
declare const TSBOX_VERSION: string;

export const VERSION: string = typeof TSBOX_VERSION === 'string' ? TSBOX_VERSION : '0.0.0-dev';
