/*
 * Stands between a program and SoftHSM and adds the BIP-32 mechanisms of Thales Luna as their header publishes them. It shows that
 * the program keeps to that ABI. It shows nothing about a Luna.
 *
 * Built by the test with REAL_LIBRARY (path of SoftHSM), and where they are given SESSIONS_MAX (sessions a token has) and
 * HANG_SECONDS (how long C_GenerateRandom takes). Curve and HMAC come from libcrypto, which SoftHSM needs itself; its few functions
 * are declared here, so no headers have to be installed.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ulong_t;
typedef struct { ulong_t type; void *value; ulong_t length; } attribute_t;
typedef struct { ulong_t type; void *parameter; ulong_t length; } mechanism_t;
typedef struct {
  attribute_t *public_template; ulong_t public_count;
  attribute_t *private_template; ulong_t private_count;
  ulong_t public_key, private_key;
} master_t;
typedef struct {
  attribute_t *public_template; ulong_t public_count;
  attribute_t *private_template; ulong_t private_count;
  ulong_t *path; ulong_t path_length;
  ulong_t public_key, private_key, path_error;
} child_t;
typedef ulong_t (*function_t)();
typedef struct { unsigned char version[8]; function_t functions[68]; } list_t;

/* libcrypto */
void *BN_new(void);
void *BN_bin2bn(const unsigned char *, int, void *);
int BN_bn2binpad(const void *, unsigned char *, int);
int BN_mod_add(void *, const void *, const void *, const void *, void *);
void BN_clear_free(void *);
void *BN_CTX_new(void);
void BN_CTX_free(void *);
void *EC_GROUP_new_by_curve_name(int);
const void *EC_GROUP_get0_order(const void *);
void EC_GROUP_free(void *);
void *EC_POINT_new(const void *);
int EC_POINT_mul(const void *, void *, const void *, const void *, const void *, void *);
size_t EC_POINT_point2oct(const void *, const void *, int, unsigned char *, size_t, void *);
void EC_POINT_free(void *);
const void *EVP_sha512(void);
unsigned char *HMAC(const void *, const void *, int, const unsigned char *, size_t, unsigned char *, unsigned *);

enum {
  create_object = 20, destroy_object = 22, get_attribute = 24, derive_key = 62,
  open_session = 12, close_session = 13, generate_random = 64, finalize = 1, mechanism_info = 8
};
enum {
  hardened = 0x80000000, nodes_max = 512, seeds_max = 8,
  key_class = 0x0, key_token = 0x1, key_private = 0x2, key_label = 0x3, key_value = 0x11, key_type = 0x100,
  key_sensitive = 0x103, key_sign = 0x108, key_verify = 0x10a, key_extractable = 0x162, key_params = 0x180, key_point = 0x181
};
#define CHAIN_CODE 0x80001100UL
#define BIP32_KEY 0x80000014UL

typedef struct { ulong_t handle; int is_private; unsigned char key[32], chain[32], point[65]; } node_t;
static list_t *real, list;
static node_t nodes[nodes_max];
static struct { char label[129]; unsigned char bytes[128]; ulong_t length; } seeds[seeds_max];
static int seed_count;
static ulong_t session_count;

static node_t *node_of(ulong_t handle) {
  for (int at = 0; at < nodes_max; at += 1) if (nodes[at].handle == handle && handle != 0) return &nodes[at];
  return 0;
}

static attribute_t *attribute_of(attribute_t *attributes, ulong_t count, ulong_t type) {
  for (ulong_t at = 0; at < count; at += 1) if (attributes[at].type == type) return &attributes[at];
  return 0;
}

static void point_of(const unsigned char *key, int form, unsigned char *out) {
  void *group = EC_GROUP_new_by_curve_name(714), *context = BN_CTX_new();
  void *scalar = BN_bin2bn(key, 32, 0), *point = EC_POINT_new(group);
  EC_POINT_mul(group, point, scalar, 0, 0, context);
  EC_POINT_point2oct(group, point, form, out, form == 4 ? 65 : 33, context);
  EC_POINT_free(point);
  BN_clear_free(scalar);
  BN_CTX_free(context);
  EC_GROUP_free(group);
}

static void step(node_t *node, uint32_t index) {
  unsigned char message[37] = {0}, sum[64];
  if (index & hardened) memcpy(message + 1, node->key, 32);
  else point_of(node->key, 2, message);
  for (int at = 0; at < 4; at += 1) message[33 + at] = index >> (24 - 8 * at);
  HMAC(EVP_sha512(), node->chain, 32, message, 37, sum, 0);
  void *group = EC_GROUP_new_by_curve_name(714), *context = BN_CTX_new();
  void *tweak = BN_bin2bn(sum, 32, 0), *parent = BN_bin2bn(node->key, 32, 0), *child = BN_new();
  BN_mod_add(child, tweak, parent, EC_GROUP_get0_order(group), context);
  BN_bn2binpad(child, node->key, 32);
  memcpy(node->chain, sum + 32, 32);
  BN_clear_free(tweak);
  BN_clear_free(parent);
  BN_clear_free(child);
  BN_CTX_free(context);
  EC_GROUP_free(group);
}

static ulong_t keep(const node_t *node, ulong_t handle, int is_private) {
  for (int at = 0; at < nodes_max; at += 1) {
    if (nodes[at].handle != 0) continue;
    nodes[at] = *node;
    nodes[at].handle = handle;
    nodes[at].is_private = is_private;
    if (!is_private) memset(nodes[at].key, 0, 32);
    return 0;
  }
  return 0x31;
}

/* A template must say CKK_BIP32, and ECDSA_PARAMS would make it SLIP-10. */
static ulong_t judge(attribute_t *attributes, ulong_t count) {
  attribute_t *type = attribute_of(attributes, count, key_type);
  if (type == 0 || type->length != 8 || *(ulong_t *)type->value != BIP32_KEY) return 0xd1;
  return attribute_of(attributes, count, key_params) == 0 ? 0 : 0xd1;
}

static ulong_t publish(ulong_t session, node_t *node, child_t *wanted) {
  static unsigned char curve[] = {6, 5, 0x2b, 0x81, 4, 0, 10}, yes = 1, no = 0;
  ulong_t class_private = 3, class_public = 2, type = 3, result;
  unsigned char point[67] = {4, 65};
  if (wanted->public_count == 0 && wanted->private_count == 0) return 0x71;
  point_of(node->key, 4, node->point);
  memcpy(point + 2, node->point, 65);
  if (wanted->private_count != 0) {
    if ((result = judge(wanted->private_template, wanted->private_count)) != 0) return result;
    attribute_t made[] = {
      {key_class, &class_private, 8}, {key_type, &type, 8}, {key_token, &no, 1}, {key_private, &yes, 1},
      {key_sensitive, &yes, 1}, {key_extractable, &no, 1}, {key_sign, &yes, 1},
      {key_params, curve, 7}, {key_value, node->key, 32},
    };
    result = real->functions[create_object](session, made, sizeof made / sizeof made[0], &wanted->private_key);
    if (result == 0) result = keep(node, wanted->private_key, 1);
    if (result != 0) return result;
  }
  if (wanted->public_count != 0) {
    if ((result = judge(wanted->public_template, wanted->public_count)) != 0) return result;
    attribute_t made[] = {
      {key_class, &class_public, 8}, {key_type, &type, 8}, {key_token, &no, 1}, {key_verify, &yes, 1},
      {key_params, curve, 7}, {key_point, point, 67},
    };
    result = real->functions[create_object](session, made, sizeof made / sizeof made[0], &wanted->public_key);
    if (result == 0) result = keep(node, wanted->public_key, 0);
    if (result != 0) return result;
  }
  return 0;
}

static ulong_t derive_master(ulong_t session, mechanism_t *mechanism, ulong_t base) {
  master_t *given = mechanism->parameter;
  if (given == 0 || mechanism->length != sizeof *given) return 0x71;
  char label[128];
  attribute_t wanted = {key_label, label, sizeof label};
  ulong_t result = real->functions[get_attribute](session, base, &wanted, 1UL);
  if (result != 0) return result;
  for (int at = 0; at < seed_count; at += 1) {
    if (strlen(seeds[at].label) != wanted.length || memcmp(seeds[at].label, label, wanted.length) != 0) continue;
    if (seeds[at].length < 16 || seeds[at].length > 64) return 0x80000085;
    unsigned char sum[64];
    node_t node = {0};
    HMAC(EVP_sha512(), "Bitcoin seed", 12, seeds[at].bytes, seeds[at].length, sum, 0);
    memcpy(node.key, sum, 32);
    memcpy(node.chain, sum + 32, 32);
    child_t as_child = {given->public_template, given->public_count, given->private_template, given->private_count, 0, 0, 0, 0, 0};
    result = publish(session, &node, &as_child);
    given->public_key = as_child.public_key;
    given->private_key = as_child.private_key;
    return result;
  }
  return 0x63;
}

static ulong_t derive_child(ulong_t session, mechanism_t *mechanism, ulong_t base) {
  child_t *given = mechanism->parameter;
  if (given == 0 || mechanism->length != sizeof *given) return 0x71;
  node_t *parent = node_of(base);
  if (parent == 0) return 0x63;
  if (given->path_length == 0 || given->path_length > 255) return 0x80000087;
  if (!parent->is_private) return 0x80000084;
  node_t node = *parent;
  for (ulong_t at = 0; at < given->path_length; at += 1) {
    given->path_error = at;
    if (given->path[at] > 0xffffffffUL) return 0x80000083;
    step(&node, (uint32_t)given->path[at]);
  }
  return publish(session, &node, given);
}

static ulong_t shim_derive(ulong_t session, mechanism_t *mechanism, ulong_t base, attribute_t *template, ulong_t count, ulong_t *key) {
  int master = mechanism->type == 0x80000e00UL, child = mechanism->type == 0x80000e01UL;
  if (!master && !child) return real->functions[derive_key](session, mechanism, base, template, count, key);
  if (template != 0 || count != 0 || key != 0) return 7;
  return master ? derive_master(session, mechanism, base) : derive_child(session, mechanism, base);
}

static ulong_t shim_create(ulong_t session, attribute_t *attributes, ulong_t count, ulong_t *handle) {
  ulong_t result = real->functions[create_object](session, attributes, count, handle);
  attribute_t *type = attribute_of(attributes, count, key_type), *value = attribute_of(attributes, count, key_value);
  attribute_t *label = attribute_of(attributes, count, key_label);
  int is_seed = result == 0 && type != 0 && *(ulong_t *)type->value == 0x10 && value != 0 && label != 0;
  if (is_seed && seed_count < seeds_max && label->length <= 128 && value->length <= 128) {
    memcpy(seeds[seed_count].label, label->value, label->length);
    memcpy(seeds[seed_count].bytes, value->value, value->length);
    seeds[seed_count].length = value->length;
    seed_count += 1;
  }
  return result;
}

static ulong_t shim_destroy(ulong_t session, ulong_t handle) {
  node_t *node = node_of(handle);
  if (node != 0) memset(node, 0, sizeof *node);
  return real->functions[destroy_object](session, handle);
}

static ulong_t shim_attribute(ulong_t session, ulong_t handle, attribute_t *attributes, ulong_t count) {
  node_t *node = node_of(handle);
  if (node == 0) return real->functions[get_attribute](session, handle, attributes, count);
  ulong_t worst = 0;
  for (ulong_t at = 0; at < count; at += 1) {
    attribute_t *wanted = &attributes[at];
    const void *value = 0;
    ulong_t length = 0, type = BIP32_KEY;
    if (wanted->type == CHAIN_CODE) { value = node->chain; length = 32; }
    if (wanted->type == key_type) { value = &type; length = 8; }
    if (value == 0) {
      ulong_t result = real->functions[get_attribute](session, handle, wanted, 1UL);
      if (result != 0) worst = result;
    } else if (wanted->length < length) {
      wanted->length = (ulong_t)-1;
      worst = 0x150;
    } else {
      memcpy(wanted->value, value, length);
      wanted->length = length;
    }
  }
  return worst;
}

static ulong_t shim_open(ulong_t slot, ulong_t flags, void *application, void *notify, ulong_t *session) {
#ifdef SESSIONS_MAX
  if (session_count >= SESSIONS_MAX) return 0xb1;
#endif
  ulong_t result = real->functions[open_session](slot, flags, application, notify, session);
  if (result == 0) session_count += 1;
  return result;
}

static ulong_t shim_close(ulong_t session) {
  ulong_t result = real->functions[close_session](session);
  if (result == 0) session_count -= 1;
  return result;
}

static ulong_t shim_mechanism(ulong_t slot, ulong_t type, ulong_t *info) {
  if (type != 0x80000e00UL && type != 0x80000e01UL) return real->functions[mechanism_info](slot, type, info);
  info[0] = 128;
  info[1] = 512;
  info[2] = 0x80000;
  return 0;
}

static ulong_t shim_finalize(void *reserved) {
  session_count = 0;
  memset(nodes, 0, sizeof nodes);
  return real->functions[finalize](reserved);
}

static ulong_t shim_random(ulong_t session, void *out, ulong_t length) {
#ifdef HANG_SECONDS
  sleep(HANG_SECONDS);
#endif
  return real->functions[generate_random](session, out, length);
}

ulong_t C_GetFunctionList(list_t **out) {
  void *library = dlopen(REAL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == 0) return 5;
  ulong_t (*get)(list_t **) = (ulong_t (*)(list_t **))dlsym(library, "C_GetFunctionList");
  if (get == 0 || get(&real) != 0) return 5;
  list = *real;
  list.functions[derive_key] = (function_t)shim_derive;
  list.functions[create_object] = (function_t)shim_create;
  list.functions[destroy_object] = (function_t)shim_destroy;
  list.functions[get_attribute] = (function_t)shim_attribute;
  list.functions[open_session] = (function_t)shim_open;
  list.functions[close_session] = (function_t)shim_close;
  list.functions[mechanism_info] = (function_t)shim_mechanism;
  list.functions[finalize] = (function_t)shim_finalize;
  list.functions[generate_random] = (function_t)shim_random;
  *out = &list;
  return 0;
}
