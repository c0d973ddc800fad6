// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Tokens that do to a vault what tokens have done to others. Each minimal, each with one habit.
abstract contract OddAsset {
    mapping(address holder => uint256) public balanceOf;
    mapping(address holder => mapping(address spender => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function move(address to, uint256 amount) internal {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Does nothing and answers false.
contract LyingAsset is OddAsset {
    function transfer(address, uint256) external pure returns (bool) {
        return false;
    }
}

/// @notice Answers with a word that is neither true nor false.
contract BabblingAsset is OddAsset {
    function transfer(address to, uint256 amount) external returns (uint256) {
        move(to, amount);
        return 2;
    }
}

/// @notice Keeps a tenth of what is sent.
contract TollAsset is OddAsset {
    function transfer(address to, uint256 amount) external returns (bool) {
        move(to, amount);
        balanceOf[to] -= amount / 10;
        return true;
    }
}

/// @notice Refuses some addresses, as issuers of dollars do.
contract BlockingAsset is OddAsset {
    mapping(address account => bool) public blocked;

    error Blocked();

    function block_(address account, bool yes) external {
        blocked[account] = yes;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        require(!blocked[msg.sender] && !blocked[to], Blocked());
        move(to, amount);
        return true;
    }
}

/// @notice Calls back into whatever it was told to, from inside of `transfer`, and remembers whether that worked.
contract CallingAsset is OddAsset {
    address private target;
    bytes private words;
    bool public called;
    bool public worked;

    function callBack(address target_, bytes calldata words_) external {
        target = target_;
        words = words_;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        if (target != address(0)) {
            called = true;
            (worked,) = target.call(words);
        }
        move(to, amount);
        return true;
    }
}

/// @notice Answers with a megabyte.
contract FloodingAsset is OddAsset {
    function transfer(address to, uint256 amount) external {
        move(to, amount);
        assembly {
            mstore(0, 1)
            return(0, 100000)
        }
    }
}

/// @notice Takes coin and calls back, or floods, or burns all the gas it is given.
contract Payee {
    address private target;
    bytes private words;
    bool public worked;
    uint256 public mode;

    function become(uint256 mode_, address target_, bytes calldata words_) external {
        mode = mode_;
        target = target_;
        words = words_;
    }

    receive() external payable {
        if (mode == 1) (worked,) = target.call(words);
        if (mode == 2) revert("no");
        if (mode == 3) {
            assembly {
                revert(0, 100000)
            }
        }
    }
}
