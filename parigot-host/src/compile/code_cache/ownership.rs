//! Files and folders that no other user can change. `Entry::read` relies on them.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Reasons why other users could change a file or folder.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum NotPrivate {
    #[error(
        "belongs to the user with id {owner}, and this process has the id {user}: set \
         XDG_CACHE_HOME to a folder of its own"
    )]
    Owner { owner: u32, user: u32 },
    #[error("is writable by other users: run `chmod go-w` on it")]
    Mode,
}

/// Folder that cannot be used, and the reason: the folder itself, or one above it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsafe {
    pub(super) folder: PathBuf,
    pub(super) reason: NotPrivate,
}

/// Creates a folder that only this user can write to, with its parents, and returns its path
/// without links. Returns the reason if another user can change the folder, or can replace it.
///
/// A user who can write to a folder can rename what is in it. Therefore each folder above must
/// belong to this user or to root, and be writable by its owner only; a sticky folder such as
/// `/tmp` may be writable by all, because only owners rename there. As no other user can change a
/// component of the path, what was checked stays, and files can be opened by their path.
pub(super) fn make_private(folder: &Path) -> io::Result<Result<PathBuf, Unsafe>> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let folder = folder.canonicalize()?;
    for above in folder.ancestors() {
        let metadata = fs::symlink_metadata(above)?;
        let checked = if above == folder {
            check_private(&metadata)
        } else {
            check_above(&metadata)
        };
        if let Err(reason) = checked {
            return Ok(Err(Unsafe {
                folder: above.to_owned(),
                reason,
            }));
        }
    }
    Ok(Ok(folder))
}

/// Creates a file that only this user can read or write.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Checks that the file belongs to the user who runs this process and no other user except root can
/// write to it.
#[cfg(unix)]
pub(super) fn check_private(metadata: &Metadata) -> Result<(), NotPrivate> {
    let Access { owner, mode } = Access::of(metadata);
    let user = user();
    match owner {
        owner if owner != user => Err(NotPrivate::Owner { owner, user }),
        _ if mode & 0o022 != 0 => Err(NotPrivate::Mode),
        _ => Ok(()),
    }
}

/// Checks a folder above a private one.
#[cfg(unix)]
fn check_above(metadata: &Metadata) -> Result<(), NotPrivate> {
    Access::of(metadata).check_above(user())
}

/// Owner and permissions of a file.
#[cfg(unix)]
#[derive(Clone, Copy)]
struct Access {
    owner: u32,
    mode: u32,
}

#[cfg(unix)]
impl Access {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Access {
            owner: metadata.uid(),
            mode: metadata.mode(),
        }
    }

    /// Checks a folder above a private folder of `user`.
    fn check_above(self, user: u32) -> Result<(), NotPrivate> {
        const ROOT: u32 = 0;
        const STICKY: u32 = 0o1000;
        match self {
            Access { owner, .. } if owner != user && owner != ROOT => {
                Err(NotPrivate::Owner { owner, user })
            }
            Access { mode, .. } if mode & 0o022 != 0 && mode & STICKY == 0 => Err(NotPrivate::Mode),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
fn user() -> u32 {
    // SAFETY: `geteuid` takes no arguments, accesses no memory of this process and cannot fail.
    unsafe { libc::geteuid() }
}

/// Does nothing: on these systems the permissions of the user's profile protect the cache folder.
#[cfg(not(unix))]
pub(super) fn check_private(_: &Metadata) -> Result<(), NotPrivate> {
    Ok(())
}

#[cfg(not(unix))]
fn check_above(_: &Metadata) -> Result<(), NotPrivate> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_user_and_root_may_own_a_folder_above() {
        let check = |owner, mode, user| Access { owner, mode }.check_above(user);
        assert_eq!(check(0, 0o40755, 7), Ok(()));
        assert_eq!(check(7, 0o40700, 7), Ok(()));
        assert_eq!(check(0, 0o41777, 7), Ok(()), "sticky, as /tmp");
        assert_eq!(check(0, 0o40777, 7), Err(NotPrivate::Mode));
        assert_eq!(check(7, 0o40775, 7), Err(NotPrivate::Mode));
        assert_eq!(
            check(8, 0o40755, 7),
            Err(NotPrivate::Owner { owner: 8, user: 7 })
        );
        assert_eq!(
            check(7, 0o40755, 0),
            Err(NotPrivate::Owner { owner: 7, user: 0 })
        );
    }

    #[test]
    fn a_folder_that_others_can_replace_is_refused() {
        let temporary = tempfile::tempdir().expect("a temporary folder must be available");
        let root = temporary
            .path()
            .canonicalize()
            .expect("the folder must exist");
        let (open, folder) = (root.join("open"), root.join("open/a/b"));
        let made = make_private(&folder).expect("the folder must be writable");
        assert_eq!(made.as_deref(), Ok(&*folder));
        let set_mode = |mode| {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode))
                .expect("the folder must belong to this user");
        };
        set_mode(0o777);
        let refused = Unsafe {
            folder: open.clone(),
            reason: NotPrivate::Mode,
        };
        let made = make_private(&folder).expect("the folder must exist");
        assert_eq!(made, Err(refused));
        set_mode(0o1777);
        let made = make_private(&folder).expect("the folder must exist");
        assert!(made.is_ok());
        // A link leads to the checked folder, not to the place of the link.
        let link = open.join("link");
        std::os::unix::fs::symlink(root.join("open/a"), &link)
            .expect("the folder must be writable");
        let made = make_private(&link.join("b")).expect("the folder must exist");
        assert_eq!(made.as_deref(), Ok(&*folder));
    }
}
