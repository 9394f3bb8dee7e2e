// The songs among what was dropped or chosen, folders with all that is in them.

const SONGS = /\.(aac|ac3|aif[fc]?|alac|amr|ape|au|caf|dsf|flac|m4[abv]|mka|mkv|mov|mp[234+]|mp4|mpc|oga|ogg|opus|ra|tta|w64|wav|webm|wma|wv)$/i;

export const isSong = (file: File): boolean => /^(audio|video)\//.test(file.type) || SONGS.test(file.name);

export async function droppedFiles(data: DataTransfer): Promise<File[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry != null);
  if (!entries.length) return [...data.files];
  const found = await Promise.all(entries.map(filesOf));
  return found.flat();
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return new Promise((resolve, reject) => (entry as FileSystemFileEntry).file((file) => resolve([file]), reject));
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const inside: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // browsers give a hundred at a time
    inside.push(...some);
  }
  inside.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  return (await Promise.all(inside.map(filesOf))).flat().filter(isSong);
}
