// SPDX-License-Identifier: Apache-2.0
//
// An oracle: crun's own sources (src/*.c, unchanged) with libcrun replaced by functions that tell what they would have done.
// What reads a command line is thus crun's code and glibc's argp; nothing is done.
//
// Read from stdin, again and again: a count and as many words, each ended by a NUL. Answered on stdout: KEY=VALUE, each
// ended by a NUL, and an empty one at the end. A line on which crun does nothing is answered by "refused=". crun keeps what
// it reads in static variables and argp ends the program, so that each line has a process of its own.
//
// With an argument, it lists the flags of each command instead: COMMAND, NAME, SHORT and "text", "optional" or "boolean".

#define main crun_main
#define init_libcrun_context crun_init_libcrun_context
// Debian's crun is built without CRIU, whose library only does the work: restore's flags are read all the same.
#define HAVE_CRIU 1
#define HAVE_DLOPEN 1
#include "src/crun.c"
#undef main
#undef init_libcrun_context

#include <sys/wait.h>

static char answer[1 << 20];
static size_t length;
static int out;
static const char *config;
static bool listing;

static void
say (const char *key, const char *value)
{
  size_t need = strlen (key) + strlen (value) + 3;
  if (length + need > sizeof (answer))
    abort ();
  length += (size_t) sprintf (answer + length, "%s=%s", key, value) + 1;
}

static void
say_text (const char *key, const char *value)
{
  if (value != NULL)
    say (key, value);
}

static void
say_number (const char *key, long value)
{
  char buffer[32];
  sprintf (buffer, "%ld", value);
  if (value != 0)
    say (key, buffer);
}

static void __attribute__ ((noreturn))
done (void)
{
  answer[length++] = '\0';
  if (write (out, answer, length) != (ssize_t) length)
    abort ();
  _exit (77);
}

static void
say_globals (const char *verb, const char *id)
{
  say ("verb", verb);
  say_text ("arg", id);
  say_text ("g.root", arguments.root);
  say_text ("g.log", arguments.log);
  say_text ("g.log-format", arguments.log_format);
  say_number ("g.debug", arguments.debug);
  say_number ("g.systemd-cgroup", arguments.option_systemd_cgroup);
  say_number ("g.no-cgroup", arguments.option_force_no_cgroup);
}

// All of libcrun's entries get a context; crun.c fills it in here before it calls them.
int
init_libcrun_context (libcrun_context_t *con, const char *id, struct crun_global_arguments *glob,
                      libcrun_error_t *err arg_unused)
{
  switch (command->value)
    {
    case COMMAND_CREATE:
    case COMMAND_RUN:
    case COMMAND_RESTORE:
    case COMMAND_EXEC:
    case COMMAND_START:
      con->id = id;
      con->state_root = glob->root;
      return 0;
    default:
      say_globals (command->name, id);
      done ();
    }
}

static void
say_context (libcrun_context_t *con)
{
  say_globals (command->name, con->id);
  if (con->state_root != arguments.root)
    abort ();
  say_text ("f.console-socket", con->console_socket);
  say_text ("f.pid-file", con->pid_file);
  say_number ("f.preserve-fds", con->preserve_fds);
  say_number ("f.detach", con->detach);
  say_number ("f.no-new-keyring", con->no_new_keyring);
  say_number ("f.no-pivot", con->no_pivot);
  say_number ("f.no-subreaper", con->no_subreaper);
}

static int
created (libcrun_context_t *con)
{
  say_context (con);
  say_text ("f.bundle", con->bundle);
  if (config != NULL && strcmp (config, "config.json") != 0)
    say ("f.config", config);
  done ();
}

int
libcrun_container_create (libcrun_context_t *con, libcrun_container_t *container arg_unused,
                          unsigned int options arg_unused, libcrun_error_t *err arg_unused)
{
  return created (con);
}

int
libcrun_container_run (libcrun_context_t *con, libcrun_container_t *container arg_unused,
                       unsigned int options arg_unused, libcrun_error_t *err arg_unused)
{
  return created (con);
}

int
libcrun_container_restore (libcrun_context_t *con, const char *id, libcrun_checkpoint_restore_t *r,
                           libcrun_error_t *err arg_unused)
{
  if (strcmp (id, con->id) != 0)
    abort ();
  con->detach = r->detach;
  if (r->console_socket != NULL)
    con->console_socket = r->console_socket;
  return created (con);
}

int
libcrun_container_start (libcrun_context_t *con, const char *id, libcrun_error_t *err arg_unused)
{
  if (strcmp (id, con->id) != 0)
    abort ();
  say_context (con);
  done ();
}

int
libcrun_container_exec_with_options (libcrun_context_t *con, const char *id,
                                     struct libcrun_container_exec_options_s *o, libcrun_error_t *err arg_unused)
{
  runtime_spec_schema_config_schema_process *p = o->process;
  size_t i;

  if (strcmp (id, con->id) != 0)
    abort ();
  say_context (con);
  say_text ("f.process", o->path);
  say_text ("f.cgroup", o->cgroup);
  if (p == NULL)
    done ();
  for (i = 0; p->args[i] != NULL; i++)
    say ("arg", p->args[i]);
  for (i = 0; i < p->env_len; i++)
    say ("f.env", p->env[i]);
  if (p->capabilities != NULL)
    for (i = 0; i < p->capabilities->bounding_len; i++)
      say ("f.cap", p->capabilities->bounding[i]);
  if (p->user != NULL)
    {
      char buffer[64];
      sprintf (buffer, "%ld:%ld", (long) p->user->uid, (long) p->user->gid);
      say ("f.user", buffer);
    }
  say_text ("f.cwd", p->cwd);
  say_text ("f.apparmor", p->apparmor_profile);
  say_text ("f.process-label", p->selinux_label);
  say_number ("f.tty", p->terminal);
  say_number ("f.no-new-privs", p->no_new_privileges);
  done ();
}

static libcrun_container_t dummy;

libcrun_container_t *
libcrun_container_load_from_file (const char *path, libcrun_error_t *err arg_unused)
{
  config = path;
  return &dummy;
}

void
libcrun_fail_with_error (int errno_ arg_unused, const char *msg arg_unused, ...)
{
  _exit (1);
}

// The directories that a line names do not exist; what counts is which one it would have been.
int
__wrap_chdir (const char *path arg_unused)
{
  return 0;
}

char *
__wrap_realpath (const char *path, char *resolved arg_unused)
{
  return strdup (path);
}

char *
__wrap_getcwd (char *buf arg_unused, size_t size arg_unused)
{
  return strdup (".");
}

error_t __real_argp_parse (const struct argp *argp, int argc, char **argv, unsigned flags, int *arg_index, void *input);

error_t
__wrap_argp_parse (const struct argp *argp, int argc, char **argv, unsigned flags, int *arg_index, void *input)
{
  const struct argp_option *o;

  // The commands' own are listed, with the command's name as argv[0]; crun's own lead there.
  if (! listing || command != NULL)
    {
      if (! listing)
        return __real_argp_parse (argp, argc, argv, flags, arg_index, input);
      for (o = argp->options; o->name != NULL || o->key != 0; o++)
        {
          if (o->flags & OPTION_ALIAS)
            continue;
          dprintf (out, "%s\t%s\t%.1s\t%s\n", argv[0], o->name, (char[2]){ o->key < 256 ? (char) o->key : '\0', '\0' },
                   o->arg == NULL ? "boolean" : o->flags & OPTION_ARG_OPTIONAL ? "optional" : "text");
        }
      _exit (0);
    }
  if (argc == 1)
    {
      for (o = argp->options; o->name != NULL || o->key != 0; o++)
        if (o->name != NULL)
          dprintf (out, "\t%s\t%.1s\t%s\n", o->name, (char[2]){ o->key < 256 ? (char) o->key : '\0', '\0' },
                   o->arg == NULL ? "boolean" : "text");
      _exit (0);
    }
  return __real_argp_parse (argp, argc, argv, flags, arg_index, input);
}

char *
libcrun_get_state_directory (const char *state_root arg_unused, const char *id arg_unused)
{
  _exit (1); // --version
}

void
libcrun_set_verbosity (int verbosity arg_unused)
{
}

// What init_libcrun_context never lets a command come to. The assembler's name keeps the headers' prototypes away.
#define UNREACHED(name)                                 \
  void unreached_##name (void) __asm__ (#name);         \
  void unreached_##name (void) { abort (); }

UNREACHED (free_runtime_spec_schema_config_schema_process)
UNREACHED (libcrun_container_checkpoint)
UNREACHED (libcrun_container_delete)
UNREACHED (libcrun_container_free)
UNREACHED (libcrun_container_kill)
UNREACHED (libcrun_container_killall)
UNREACHED (libcrun_container_pause)
UNREACHED (libcrun_container_read_pids)
UNREACHED (libcrun_container_spec)
UNREACHED (libcrun_container_state)
UNREACHED (libcrun_container_unpause)
UNREACHED (libcrun_container_update_from_file)
UNREACHED (libcrun_container_update_from_values)
UNREACHED (libcrun_error_write_warning_and_release)
UNREACHED (libcrun_free_container_status)
UNREACHED (libcrun_free_containers_list)
UNREACHED (libcrun_get_container_state_string)
UNREACHED (libcrun_get_containers_list)
UNREACHED (libcrun_handler_manager_create)
UNREACHED (libcrun_handler_manager_load_directory)
UNREACHED (libcrun_handler_manager_print_feature_tags)
UNREACHED (libcrun_init_logging)
UNREACHED (libcrun_make_error)
UNREACHED (libcrun_read_container_status)
UNREACHED (libcrun_set_log_format)
UNREACHED (libcrun_write_json_containers_list)

static void
list (char *verb)
{
  char *argv[] = { "crun", verb, NULL };
  if (fork () == 0)
    {
      listing = true;
      crun_main (verb == NULL ? 1 : 2, argv);
      _exit (1);
    }
  int status;
  if (wait (&status) < 0 || status != 0)
    abort ();
}

static char *
next_word (void)
{
  char *word = NULL;
  size_t size = 0;
  ssize_t n = getdelim (&word, &size, '\0', stdin);
  if (n < 0)
    exit (0);
  if (n == 0 || word[n - 1] != '\0')
    abort ();
  return word;
}

int
main (int argc, char **argv arg_unused)
{
  out = dup (STDOUT_FILENO);
  if (freopen ("/dev/null", "w", stdout) == NULL || freopen ("/dev/null", "w", stderr) == NULL)
    return 1;
  if (argc > 1)
    {
      list (NULL);
      for (struct commands_s *c = commands; c->value; c++)
        list ((char *) c->name);
      return 0;
    }
  for (;;)
    {
      char *count = next_word ();
      int n = atoi (count);
      char **words = calloc ((size_t) n + 2, sizeof (*words));
      words[0] = "crun";
      for (int i = 1; i <= n; i++)
        words[i] = next_word ();
      length = 0;
      pid_t pid = fork ();
      if (pid == 0)
        {
          alarm (1); // argp has a --HANG for debuggers, and takes its abbreviations
          crun_main (n + 1, words);
          _exit (1);
        }
      int status;
      if (pid < 0 || waitpid (pid, &status, 0) < 0)
        return 1;
      // crun 1.8.1 reads a null pointer for some lines, such as one that ends with "--": it does nothing then, either.
      if (! (WIFEXITED (status) && WEXITSTATUS (status) == 77))
        {
          if (WIFSIGNALED (status) && WTERMSIG (status) == SIGABRT)
            return 1;
          say ("refused", WIFSIGNALED (status) ? "signal" : "");
          answer[length++] = '\0';
          if (write (out, answer, length) != (ssize_t) length)
            return 1;
        }
      for (int i = 1; i <= n; i++)
        free (words[i]);
      free (words);
      free (count);
    }
}
