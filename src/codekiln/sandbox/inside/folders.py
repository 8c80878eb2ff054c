"""The folders that programs may write to: filled, collected from and emptied by the process that starts them."""

import contextlib
import fnmatch
import os
import stat

#: Files that a program may have in each place.
_FILES = 65_536
_modes = {}


def write(work, files, contents, user):
    """Write files below a folder from (path, length) pairs and a descriptor of what is in them, one after another."""
    at = 0
    for path, length in files:
        *parents, name = path.split("/")
        place = work
        for part in parents:
            place = f"{place}/{part}"
            if not os.path.isdir(place):
                os.mkdir(place, 0o755)
                _own(place, user)
        descriptor = os.open(f"{place}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755)
        try:
            end = at + length
            while at < end:
                sent = os.sendfile(descriptor, contents, at, end - at)
                if sent == 0:
                    raise ValueError("less came than was told")
                at += sent
        finally:
            os.close(descriptor)
        _own(f"{place}/{name}", user)


def _own(path, user):
    if os.getuid() == 0 and user:
        os.chown(path, user, user)


def collect(work, size, known, patterns):
    """The regular files below a folder that are not `known`, as (path, content), at most `size` bytes of them.

    Only those whose names match one of the patterns, where there are any.
    """
    found = []
    for root, names, files, folder in os.fwalk(work, follow_symlinks=False):
        names.sort()
        for name in sorted(files):
            path = os.path.relpath(os.path.join(root, name), work)
            if path in known or (patterns and not any(fnmatch.fnmatch(name, one) for one in patterns)):
                continue
            how = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(how.st_mode):
                continue
            size -= how.st_size
            if size < 0 or len(found) > 10_000:
                raise ValueError("what it made is too large to keep")
            with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as stream:
                found.append((path, stream.read(how.st_size)))
    return found


def crowded(places):
    """Whether a mount holds more files than any program needs: each takes memory that no limit of bytes counts."""
    for place in places:
        how = os.statvfs(place)
        if how.f_files - how.f_ffree > _FILES:
            return True
    return False


def clean(places, kept):
    """Empty folders but for the paths `kept`; nobody else is there, so that nothing changes meanwhile.

    Their modes become what they were the first time; what a program of the same user may set beside goes.
    """
    for place in places:
        mode = stat.S_IMODE(os.stat(place).st_mode)
        if mode != _modes.setdefault(place, mode):
            os.chmod(place, _modes[place])
        with contextlib.suppress(OSError):  # a file system without any
            for name in os.listxattr(place):
                os.removexattr(place, name)
        names = [name for name in os.listdir(place) if f"{place}/{name}" not in kept]
        if names:
            _empty(place, names)


def _empty(place, names):
    """Remove what is in a folder, without recursion: a program may make folders deeper than any stack.

    One descriptor at a time is held beside the first: `..` of a folder that nobody moves is its parent.
    """
    first = here = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    levels, above = [names], []
    try:
        while levels:
            if not levels[-1]:
                levels.pop()
                if above:
                    upper = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
                    os.close(here)
                    here = upper
                    os.rmdir(above.pop(), dir_fd=here)
                continue
            name = levels[-1].pop()
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISDIR(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=here)
                    continue
                os.chmod(name, 0o700, dir_fd=here)
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                if here != first:
                    os.close(here)
                here = inner
                above.append(name)
                levels.append(os.listdir(inner))
    finally:
        os.close(here)
        if here != first:
            os.close(first)
