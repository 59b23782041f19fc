-- Schema 14: the words of the records, for the search. A server fills the tables behind its first start.

-- Which records of a block have a word. A noun's block has 65,536 records. The rows are long, so they are no part of the
-- index of their key, where only the first 1,000 bytes of a row would stay in its page.
CREATE TABLE crm_search (
    block INTEGER NOT NULL, -- the id of a record without its last 16 bits, times 64, and the number of its noun
    word  TEXT NOT NULL,    -- what the row has, and a beginning of one to three letters
    docs  TEXT NOT NULL,    -- the records: the last 16 bits of their ids, as a list or as a bitmap; for three letters also a line for each word
    PRIMARY KEY (block, word)
) STRICT;

-- The blocks that have rows.
CREATE TABLE crm_search_blocks (
    block INTEGER PRIMARY KEY
) STRICT;

-- One row, from the beginning of the index on.
CREATE TABLE crm_search_state (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    rules INTEGER NOT NULL, -- the rules by which texts become words
    place INTEGER NOT NULL, -- each change up to this one is in the index
    turn  INTEGER NOT NULL  -- one more with each portion and each erasure
) STRICT;

-- The nouns in the index.
CREATE TABLE crm_search_nouns (
    noun   TEXT PRIMARY KEY, -- the name of its table
    number INTEGER NOT NULL, -- its number in the blocks
    rest   INTEGER NOT NULL  -- its records up to this id are not in the index yet
) STRICT, WITHOUT ROWID;
