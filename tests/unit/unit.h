/* The one main() shape of our Check programs: list the cases, run them. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

/* clang-format off */
#define UNIT_MAIN(suite_name, ...) \
	int main(void) \
	{ \
		const TTest *const tests[] = { __VA_ARGS__ }; \
		Suite *suite = suite_create(suite_name); \
		TCase *tcase = tcase_create(suite_name); \
		SRunner *runner; \
		int failed; \
		tcase_set_timeout(tcase, 60); \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) \
			tcase_add_test(tcase, tests[i]); \
		suite_add_tcase(suite, tcase); \
		runner = srunner_create(suite); \
		srunner_run_all(runner, CK_ENV); \
		failed = srunner_ntests_failed(runner); \
		srunner_free(runner); \
		return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE; \
	}
/* clang-format on */

#endif
