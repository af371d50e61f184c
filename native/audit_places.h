/* Where records of a type are put; the same numbers as in src/steno/audit/words/gathering.py. */
#ifndef STENO_AUDIT_PLACES_H
#define STENO_AUDIT_PLACES_H

enum place { CALL, DIRECTORY, PEER, TITLE, PATH, RUN, TARGET, DETAIL, LEAD };

#endif
