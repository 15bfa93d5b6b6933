/** Where the VMM finds what it needs by name: in the root of its jail. All else it is handed as descriptors. */
export const JAIL = {
  kernel: '/guest/kernel',
  initrd: '/guest/initrd',
  share: (id: string): string => `/share/${id}`,
} as const;
