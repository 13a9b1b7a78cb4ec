/* The mailbox from the inside: for the files of this folder only. */
#ifndef MAILBOX_MAILBOX_IMPL_H
#define MAILBOX_MAILBOX_IMPL_H

#include "storage/mailbox/box.h"
#include "storage/mailbox/mailbox.h"

struct mailbox {
	struct box box;
	struct rk_account *account;
	struct index *index;
	char *name;
	unsigned char guid[RK_GUID_LEN];
	bool known;       /* guid is set */
	uint64_t reserve; /* high-water mark of MODSEQ beside the truth */
	bool reserve_read;
	bool reserve_none; /* the driver has no place for it */
};

#endif
