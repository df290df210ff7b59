/* SPDX-License-Identifier: GPL-2.0 */
/* Rules of nf_tables, in one table of the caller's network namespace. */
#ifndef VZ_NFT_H
#define VZ_NFT_H

/* All of these: 0, or -1 and the first error the kernel reported. */
long nft_chain(long unused);
/* @n rules in one transaction: all of them or none. */
long nft_rules(long n);
long nft_flush(long unused);

#endif
