/**
 * Copies of a volume's disk, beside it in its directory: made before a rescue, by the time of it. They are the volume's,
 * and go with it.
 */
const COPY = /^copy-\d{8}T\d{6}\.\d{3}Z\.raw$/;

export const toCopyName = (time: Date): string => `copy-${time.toISOString().replaceAll(/[-:]/g, '')}.raw`;

export const isCopyName = (name: string): boolean => COPY.test(name);
