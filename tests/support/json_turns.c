/* One turn a structure: decode, then encode. */
#include "json_turn.h"

#include "format/client.h"
#include "format/health.h"
#include "format/key.h"
#include "format/mark.h"
#include "format/repository.h"
#include "format/tombstone.h"

bool turn_repository(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	struct repository r;

	if (!repository_decode(jf, &r, f))
		return false;
	repository_encode(&r, out);
	return true;
}

bool turn_key(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	struct key_slot k;

	if (!key_slot_decode(jf, &k, f))
		return false;
	key_slot_encode(&k, out);
	return true;
}

static bool turn_note(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	struct band_note n;

	if (!band_note_decode(jf, &n, f))
		return false;
	band_note_encode(&n, out);
	return true;
}

/* A file of another type is asked for as a tail, and refused as foreign. */
bool turn_band(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	enum band_file kind = BAND_TAIL;
	struct band b;
	bool ok;

	if (strcmp(jf->type, "removed") == 0 || strcmp(jf->type, "fence") == 0)
		return turn_note(jf, out, f);
	if (strcmp(jf->type, "head") == 0)
		kind = BAND_HEAD;
	if (strcmp(jf->type, "part") == 0)
		kind = BAND_PART;
	ok = band_decode(jf, buf_span(&jf->secret), kind, &b, f);
	if (ok)
		band_encode(&b, kind, out);
	band_release(&b);
	return ok;
}

bool turn_tombstone(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	struct tombstone t;
	bool ok = tombstone_decode(jf, &t, f);

	if (ok)
		tombstone_encode(&t, out);
	tombstone_release(&t);
	return ok;
}

bool turn_mark(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	struct mark m;
	bool ok = mark_decode(jf, buf_span(&jf->secret), &m, f);

	if (ok)
		mark_encode(&m, out);
	mark_release(&m);
	return ok;
}

bool turn_client(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	struct client c;
	bool ok = client_decode(jf, buf_span(&jf->secret), &c, f);

	if (ok)
		client_encode(&c, out);
	client_release(&c);
	return ok;
}

bool turn_health(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	struct health h;
	bool ok = health_decode(jf, &h, f);

	if (ok)
		health_encode(&h, out);
	health_release(&h);
	return ok;
}
