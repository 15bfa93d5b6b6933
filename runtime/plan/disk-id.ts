/** What the VMM calls the disk of a volume. */
export const diskId = (serial: string): string => `disk-${serial}`;
