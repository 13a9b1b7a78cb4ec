/* The program as an array: keys in an order in which each stands behind its children. */
#include <string.h>

#include "lib/base/arena.h"
#include "storage/search/search_impl.h"

static void
search_free(void *ptr)
{
	struct search *s = ptr;

	for (size_t i = 0; i < s->n; i++)
		uidset_clear(&s->nodes[i].set);
	buf_clear(&s->line);
	buf_clear(&s->folded);
	buf_clear(&s->raw);
}

static size_t
keys_count(const struct search_key *key)
{
	const struct search_key *root = key;
	size_t n = 0;

	for (;;) {
		n++;
		if (key->child != NULL) {
			key = key->child;
			continue;
		}
		while (key != root && key->next == NULL)
			key = key->parent;
		if (key == root)
			return n;
		key = key->next;
	}
}

static const struct search_key *
first_leaf(const struct search_key *key)
{
	while (key->child != NULL)
		key = key->child;
	return key;
}

/* UIDs of a set of numbers: those beyond the last are none. */
static void
numbers_resolve(const struct view *view, const struct sequence *set, struct uidset *out)
{
	struct uidset numbers = UIDSET_INIT;
	uint32_t exists = view_exists(view);

	sequence_resolve(set, exists, &numbers);
	for (size_t i = 0; i < numbers.n; i++) {
		uint32_t last = numbers.runs[i].last < exists ? numbers.runs[i].last : exists;

		if (numbers.runs[i].first > last)
			break;
		/* What lies between the UIDs of two neighbours is in no view. */
		uidset_add(out, view_uid(view, numbers.runs[i].first), view_uid(view, last));
	}
	uidset_clear(&numbers);
}

static void
node_prepare(
    struct search *s, struct node *n, const struct search_scope *scope, struct rk_arena *mem)
{
	const struct search_key *key = n->key;
	struct buf utf8 = BUF_INIT, folded = BUF_INIT;

	switch (key->kind) {
	case SEARCH_SEQUENCE:
		numbers_resolve(scope->view, &key->set, &n->set);
		break;
	case SEARCH_UID:
		sequence_resolve(&key->set, uidset_max(&scope->view->uids), &n->set);
		break;
	case SEARCH_SAVED:
		uidset_copy(&n->set, scope->saved);
		break;
	case SEARCH_RECENT:
		uidset_copy(&n->set, scope->recent);
		break;
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
		s->needs_size = true;
		break;
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
		charset_reset(scope->charset);
		charset_decode(scope->charset, key->text.p, key->text.n, true, &utf8);
		text_fold(str_of(utf8.data, utf8.len), &folded);
		n->text = str_of(rk_arena_dup(mem, folded.data, folded.len), folded.len);
		if (key->kind != SEARCH_HEADER) {
			s->ntexts++;
			s->text_max = n->text.n > s->text_max ? n->text.n : s->text_max;
		}
		break;
	default:
		break;
	}
	buf_clear(&utf8);
	buf_clear(&folded);
}

struct search *
search_new(const struct search_key *program, const struct search_scope *scope, struct rk_arena *mem)
{
	struct search *s = rk_arena_alloc(mem, sizeof(*s));
	const struct search_key *key = first_leaf(program);
	size_t n = keys_count(program), *waiting = rk_arena_array(mem, n, sizeof(*waiting));
	size_t nwaiting = 0;

	s->nodes = rk_arena_array(mem, n, sizeof(*s->nodes));
	s->now = scope->now;
	arena_cleanup(mem, search_free, s);
	for (;;) {
		struct node *node = &s->nodes[s->n];

		*node = (struct node){ .key = key, .parent = SIZE_MAX };
		node_prepare(s, node, scope, mem);
		/* The children of this key are the last ones that wait for a parent. */
		while (nwaiting > 0 && s->nodes[waiting[nwaiting - 1]].key->parent == key)
			s->nodes[waiting[--nwaiting]].parent = s->n;
		waiting[nwaiting++] = s->n++;
		if (key == program)
			return s;
		key = key->next != NULL ? first_leaf(key->next) : key->parent;
	}
}

bool
search_needs_size(const struct search *s)
{
	return s->needs_size;
}

static enum search_answer
combine(const struct node *n)
{
	switch (n->key->kind) {
	case SEARCH_AND:
		return n->no > 0     ? SEARCH_ANSWER_NO
		       : n->open > 0 ? SEARCH_ANSWER_OPEN
		                     : SEARCH_ANSWER_YES;
	case SEARCH_OR:
		return n->yes > 0    ? SEARCH_ANSWER_YES
		       : n->open > 0 ? SEARCH_ANSWER_OPEN
		                     : SEARCH_ANSWER_NO;
	case SEARCH_NOT:
		return n->open > 0  ? SEARCH_ANSWER_OPEN
		       : n->yes > 0 ? SEARCH_ANSWER_NO
		                    : SEARCH_ANSWER_YES;
	default:
		return n->value;
	}
}

enum search_answer
search_value(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->nodes[i].no = s->nodes[i].yes = s->nodes[i].open = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct node *n = &s->nodes[i], *parent;

		n->value = combine(n);
		if (n->parent == SIZE_MAX)
			break;
		parent = &s->nodes[n->parent];
		parent->no += n->value == SEARCH_ANSWER_NO;
		parent->yes += n->value == SEARCH_ANSWER_YES;
		parent->open += n->value == SEARCH_ANSWER_OPEN;
	}
	return s->nodes[s->n - 1].value;
}

static bool
is_leaf(const struct node *n)
{
	return n->key->kind != SEARCH_AND && n->key->kind != SEARCH_OR &&
	       n->key->kind != SEARCH_NOT;
}

void
search_settle(struct search *s, bool text_too)
{
	for (size_t i = 0; i < s->n; i++) {
		struct node *n = &s->nodes[i];
		bool text = n->key->kind == SEARCH_BODY || n->key->kind == SEARCH_TEXT;

		if (is_leaf(n) && n->value == SEARCH_ANSWER_OPEN && (text_too || !text))
			n->value = SEARCH_ANSWER_NO;
	}
}
