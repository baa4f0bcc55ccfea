import { thawCommand } from './thaw.ts';

export const command = thawCommand('unpause');
