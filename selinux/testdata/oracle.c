// Answers questions with libsepol: a line is a kind (a: access, t: transition, c: change, m: member), two contexts and the number
// of a class; the answer of an access is allowed, auditallow and auditdeny in hex, of the rest a context or "-".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sepol/policydb/policydb.h>
#include <sepol/policydb/services.h>
#include <sepol/policydb/sidtab.h>
#include <sepol/debug.h>
#include <sepol/sepol.h>

int main(int argc, char **argv)
{
	static char line[16384], scon[8192], tcon[8192];
	char kind;
	unsigned class;
	FILE *f = fopen(argv[1], "r");
	sepol_debug(0);
	if (argc != 2 || !f || sepol_set_policydb_from_file(f)) {
		fprintf(stderr, "%s cannot be read\n", argv[1]);
		return 1;
	}
	for (unsigned n = 0; fgets(line, sizeof line, stdin); n++) {
		static sidtab_t sids;
		sepol_security_id_t s, t, out;
		struct sepol_av_decision av;
		if (n % 500 == 0) { // a table of many labels is slow
			if (n)
				sepol_sidtab_destroy(&sids);
			sepol_sidtab_init(&sids);
			sepol_set_sidtab(&sids);
		}
		if (sscanf(line, "%c %8191s %8191s %u", &kind, scon, tcon, &class) != 4)
			return 2;
		if (sepol_context_to_sid(scon, strlen(scon), &s) || sepol_context_to_sid(tcon, strlen(tcon), &t)) {
			puts("invalid");
			continue;
		}
		int rc;
		switch (kind) {
		case 'a':
			rc = sepol_compute_av(s, t, class, 0, &av);
			if (rc)
				puts("error");
			else
				printf("%x %x %x\n", av.allowed, av.auditallow, av.auditdeny);
			continue;
		case 't':
			rc = sepol_transition_sid(s, t, class, &out);
			break;
		case 'c':
			rc = sepol_change_sid(s, t, class, &out);
			break;
		default:
			rc = sepol_member_sid(s, t, class, &out);
		}
		char *text;
		size_t len;
		if (rc || sepol_sid_to_context(out, &text, &len)) {
			puts("-");
			continue;
		}
		puts(text);
		free(text);
	}
	return 0;
}
