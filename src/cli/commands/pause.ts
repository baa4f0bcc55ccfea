import { freezeCommand } from './freeze.ts';

export const command = freezeCommand('pause');
