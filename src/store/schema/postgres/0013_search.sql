-- Schema 13 of PostgreSQL: the words of the records, for the search. A server fills the tables behind its first start.

-- Which records of a block have a word. A noun's block has 65,536 records.
CREATE TABLE crm_search (
    block bigint NOT NULL,           -- the id of a record without its last 16 bits, times 64, and the number of its noun
    word  text COLLATE "C" NOT NULL, -- what the row has, and a beginning of one to three letters
    docs  text COLLATE "C" NOT NULL, -- the records: the last 16 bits of their ids, as a list or as a bitmap; for three letters also a line for each word
    PRIMARY KEY (block, word)
);

-- The blocks that have rows.
CREATE TABLE crm_search_blocks (
    block bigint PRIMARY KEY
);

-- One row, from the beginning of the index on.
CREATE TABLE crm_search_state (
    id    bigint PRIMARY KEY CHECK (id = 1),
    rules bigint NOT NULL, -- the rules by which texts become words
    place bigint NOT NULL, -- each change up to this one is in the index
    turn  bigint NOT NULL  -- one more with each portion and each erasure
);

-- The nouns in the index.
CREATE TABLE crm_search_nouns (
    noun   text COLLATE "C" PRIMARY KEY, -- the name of its table
    number bigint NOT NULL,              -- its number in the blocks
    rest   bigint NOT NULL               -- its records up to this id are not in the index yet
);
